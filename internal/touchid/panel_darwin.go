package touchid

import (
	"context"
	"sync"

	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
)

// NativePanel shows questions as macOS's alerts, from a program without a window.
type NativePanel struct{ Main *mainthread.Thread }

var _ Panel = NativePanel{}

// Ask shows the question. AppKit is loaded for it and not before: few questions need it.
func (n NativePanel) Ask(ctx context.Context, q Question) (button int, err error) {
	lib, err := macos.Load("AppKit")
	if err != nil {
		return 0, err
	}
	answer := 0
	if err := n.Main.Do(ctx, func() { answer = show(ctx, lib, q) }); err != nil {
		return 0, err
	}
	if answer == macos.NSModalResponseAbort {
		return 0, ErrWithdrawn
	}
	return answer - macos.NSAlertFirstButtonReturn, nil // one more for each button
}

// show shows it on this thread, the first, and gives macOS's answer.
func show(ctx context.Context, lib *macos.Library, q Question) (answer int) {
	var mu sync.Mutex
	shown := true
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if shown { // or the next panel would be ended
			lib.Pool(lib.EndModal)
		}
	})
	defer stop()
	lib.Pool(func() {
		app := lib.Send.Application(lib.Class("NSApplication"))
		lib.Send.SetActivationPolicy(app, macos.NSApplicationActivationPolicyAccessory)
		lib.Send.Activate(app)
		alert := lib.New("NSAlert")
		defer lib.Send.Release(alert)
		say := func(set func(alert macos.ID, text macos.Ref), text string) {
			s := lib.String(text)
			defer lib.Release(s)
			set(alert, s)
		}
		say(lib.Send.SetMessage, q.Title)
		say(lib.Send.SetInformative, q.Text)
		for _, b := range q.Buttons {
			say(func(a macos.ID, t macos.Ref) { lib.Send.AddButton(a, t) }, b)
		}
		answer = lib.Send.RunModal(alert)
	})
	mu.Lock()
	defer mu.Unlock()
	shown = false
	return answer
}
