package autofill

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/provider/appex"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// settingsPatience is how long System Settings gets to open before we end.
const settingsPatience = 3 * time.Second

// Parts are what the app and the extension are made of.
type Parts struct {
	Lib      *macos.Library
	Provider *provider.Provider
	// Folder is the group's.
	Folder string
	log    *slog.Logger
}

// Open loads macOS's frameworks and more, if named, and puts the provider on the keychain of an app
// group: that is the keychain's access group, and the folder of the lock.
func Open(group string, log *slog.Logger, more ...string) (*Parts, error) {
	lib, err := macos.Load(append(more, "Security", "LocalAuthentication", "AppKit", "AuthenticationServices")...)
	if err != nil {
		return nil, err
	}
	folder := container(lib, group)
	if folder == "" {
		return nil, &ctap.Problem{
			Status: ctap.Other, What: "macOS gives this app no folder of its group", Hint: "it must be signed for the group: see docs/macos.md, \"Signing\"",
		}
	}
	native := keychain.Native{Lib: lib}
	keys := keychain.Keychain{
		Security: native, Items: native, Sheets: native, Group: group,
		Protection: enclave.BiometryAny, LockFile: filepath.Join(folder, "lock"),
	}
	return &Parts{Lib: lib, log: log, Folder: folder, Provider: &provider.Provider{
		Keys: keys, Entries: keychain.Entries{Keychain: keys}, Identities: appex.Identities{Lib: lib},
		Reason: Reason, AAGUID: enclave.AAGUID(), Log: log,
	}}, nil
}

// LogToFolder has what follows logged into the group's folder.
func (p *Parts) LogToFolder() error {
	file, err := OpenLog(p.Folder) // open until the process ends
	if err != nil {
		return err
	}
	p.log = slog.New(slog.NewTextHandler(file, nil))
	p.Provider.Log = p.log
	return nil
}

// container gives the folder that the programs of a group share.
func container(lib *macos.Library, group string) (path string) {
	lib.Pool(func() {
		name := lib.String(group)
		defer lib.Release(name)
		manager := lib.Send.FileManager(lib.Class("NSFileManager"))
		if url := lib.Send.GroupContainer(manager, name); url != 0 {
			path = lib.Text(lib.Send.URLPath(url))
		}
	})
	return path
}

// Extension makes the extension's process of the parts.
func (p *Parts) Extension() *appex.Extension {
	// As the article has it: the login password registers a passkey too; to sign with it takes a finger.
	user := touchid.User{Sensor: touchid.Native{Lib: p.Lib, Password: true}}
	return &appex.Extension{
		Lib: p.Lib, Provider: p.Provider, Log: p.log,
		Verify:  user.Confirm,
		Legible: func(text string) string { return prompt.Legible(text, maxName) },
	}
}

// Choice is what a person wants of the welcome.
type Choice int

// The buttons, in their order.
const (
	ShowPasskeys Choice = iota
	OpenSettings
	Close
)

// Greet shows the welcome and waits for a button. It must be called on the process's
// first thread, as OpenSettings.
func (p *Parts) Greet(title, text string) Choice {
	lib := p.Lib
	app := lib.Send.Application(lib.Class("NSApplication"))
	lib.Send.SetActivationPolicy(app, macos.NSApplicationActivationPolicyRegular)
	lib.Send.Activate(app)
	alert := lib.New("NSAlert")
	button := func(a macos.ID, t macos.Ref) { lib.Send.AddButton(a, t) }
	for _, part := range []struct {
		set  func(alert macos.ID, text macos.Ref)
		text string
	}{
		{lib.Send.SetMessage, title},
		{lib.Send.SetInformative, text},
		{button, "Show Passkeys"},
		{button, "Open System Settings"},
		{button, "Close"},
	} {
		s := lib.String(part.text)
		part.set(alert, s)
		lib.Release(s)
	}
	return Choice(lib.Send.RunModal(alert) - macos.NSAlertFirstButtonReturn) // one more for each button
}

// OpenSettings opens System Settings where AutoFill is, and returns when it has.
func (p *Parts) OpenSettings() {
	select {
	case <-p.AskForSettings():
	case <-time.After(settingsPatience): // the answer may wait for this thread
	}
}

// AskForSettings is OpenSettings for an app that stays: it does not wait.
func (p *Parts) AskForSettings() <-chan struct{} {
	opened := make(chan struct{}, 1)
	p.Lib.Send.OpenSettings(p.Lib.Class("ASSettingsHelper"), p.Lib.State(func(macos.ID) { opened <- struct{}{} }))
	return opened
}

// Confirm asks for a finger, for reason.
func (p *Parts) Confirm(ctx context.Context, reason string) error {
	return touchid.User{Sensor: touchid.Native{Lib: p.Lib}}.Confirm(ctx, reason)
}
