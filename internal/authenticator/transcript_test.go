package authenticator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/transcript"
	"github.com/localpasskey/localpasskey/internal/extension"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// TestCTAPTranscripts plays each scene of testdata/transcripts to an authenticator of its
// own, TPM included, in virtual time and with the same random numbers each time. What a
// file has under "before" is played before each of its scenes; a file that speaks of
// $protocol is played with both PIN/UV auth protocols.
func TestCTAPTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		check(t, err)
		protocols := map[string]int64{"": 2}
		if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "$protocol") {
			protocols = map[string]int64{"/protocol one": 1, "/protocol two": 2}
		}
		for protocol, number := range protocols {
			var before string
			for _, scene := range archive.Files {
				if scene.Name == "before" {
					before = string(scene.Data)
					continue
				}
				name := strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + scene.Name + protocol
				t.Run(name, func(t *testing.T) {
					playTranscript(t, number, before, string(scene.Data))
				})
			}
		}
	}
}

// playTranscript plays the texts one after another, and shows what is different.
func playTranscript(t *testing.T, protocol int64, before, scene string) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 1)
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	s := newStackAt(t, chip.Opener())
	synctest.Test(t, func(t *testing.T) {
		start := func() (err error) {
			s.Authenticator, err = authenticator.New(authenticator.Config{
				Keys: s.machine, PIN: s.machine, Store: forgetful{s.store}, User: s.person, Eraser: s,
				BuiltInUV: func() bool { return true }, AAGUID: authenticator.TPMAAGUID(),
			})
			return err
		}
		defer func() { check(t, chip.Close()) }() // one that was restarted is of this bubble
		check(t, start())
		err := transcript.Play(t.Context(), transcript.Device{
			Open: func(name string) ctap.Authenticator {
				if name == "socket" {
					return s.Channel(ctap.DoorSocket)
				}
				return s.Channel(ctap.DoorHID)
			},
			Person:     s.person,
			PowerCycle: func() error { return s.PowerCycle() },
			Reboot: func() (err error) {
				if err := chip.Restart(t.Context()); err != nil {
					return err
				}
				if s.machine, err = tpm.Open(t.Context(), chip.Opener(), s.store.Ledger()); err != nil {
					return err
				}
				return start()
			},
			Disk:    func() ([]byte, error) { return os.ReadFile(s.file) },
			Records: s.records,
		}, map[string]any{"protocol": protocol}, before, scene)
		if mismatch, ok := errors.AsType[*transcript.Mismatch](err); ok {
			t.Fatalf("%s\n%s", strings.TrimSuffix(err.Error(), mismatch.Error()),
				diff.Diff("written down", []byte(mismatch.Want+"\n"), "answered", []byte(mismatch.Got+"\n")))
		}
		check(t, err)
	})
}

// records is what is known of passkeys, but for their sign counts.
func (s *stack) records() ([]byte, error) {
	var all []byte
	for c, err := range s.store.Each() {
		if err != nil {
			return nil, err
		}
		c.SignCount = 0
		all = fmt.Appendf(all, "%+v\n", c)
	}
	return all, nil
}

// TestTranscriptsLeaveNothingOut: each command and each extension is asked for and
// answered, and asked for and refused.
func TestTranscriptsLeaveNothingOut(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txtar")
	check(t, err)
	seen := map[string]bool{}
	exchange := regexp.MustCompile(`(?m)^> (0x[0-9a-f]{2})((?:.|\n )*)\n< (?:\+\w+ )?(0x[0-9a-f]{2})`)
	quoted := regexp.MustCompile(`"([\w-]+)": `)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		for _, match := range exchange.FindAllStringSubmatch(string(text), -1) {
			how := " refused"
			if match[3] == "0x00" {
				how = " answered"
			}
			seen[match[1]+how] = true
			for _, name := range quoted.FindAllStringSubmatch(match[2], -1) {
				seen[name[1]+how] = true
			}
		}
	}
	wanted := extension.Supported()
	for command := ctap.CommandMakeCredential; command <= ctap.CommandConfig; command++ {
		if strings.HasPrefix(fmt.Sprint(ctap.Serve(t.Context(), ctap.NewClient(refuser{}), []byte{byte(command)})), "[1]") {
			continue // there is no such command
		}
		wanted = append(wanted, fmt.Sprintf("%#02x", byte(command)))
	}
	if len(wanted) != len(extension.Supported())+10 {
		t.Errorf("there are ten commands: %v", wanted)
	}
	for _, what := range wanted {
		if !seen[what+" answered"] || !seen[what+" refused"] {
			t.Errorf("%s is not both answered and refused in a transcript", what)
		}
	}
}

// refuser is a device that refuses everything.
type refuser struct{}

func (refuser) Exchange(context.Context, []byte) ([]byte, error) {
	return []byte{byte(ctap.NotAllowed)}, nil
}
