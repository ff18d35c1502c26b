package appex

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// Ours: how large the view is, in points, and what its buttons say by.
const (
	viewWidth  = 380
	viewHeight = 180
	buttonNone = -1
	chosenName = "localPasskeyChosen:"
)

// view is what a person sees of one request: a column of texts and buttons.
type view struct {
	x          *Extension
	controller macos.ID
	stack      macos.ID // made by loadView; the controller keeps it
	clicks     chan int
}

var _ provider.Screen = (*view)(nil)

// view gives the controller's view.
func (x *Extension) view(self macos.ID) *view {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.views[self]
	if v == nil {
		v = &view{x: x, controller: self, clicks: make(chan int, 1)}
		x.views[self] = v
	}
	return v
}

func (x *Extension) forget(self macos.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.views, self)
}

// loadView makes the view in code: the inherited method looks for a nib.
func (x *Extension) loadView(self macos.ID) {
	lib := x.Lib
	v := x.view(self)
	none := lib.Array()
	defer lib.Release(none)
	v.stack = lib.Send.StackView(lib.Class("NSStackView"), none)
	lib.Send.SetOrientation(v.stack, macos.NSUserInterfaceLayoutOrientationVertical)
	lib.Send.SetView(self, v.stack)
	lib.Send.SetPreferredSize(self, macos.Size{Width: viewWidth, Height: viewHeight})
	v.show([]macos.Ref{v.spinner(), v.label("Touch ID confirms what you do with a passkey.")})
}

// show replaces what is in the column. On the main thread.
func (v *view) show(parts []macos.Ref) {
	if v.stack == 0 {
		return
	}
	all := v.x.Lib.Array(parts...)
	defer v.x.Lib.Release(all)
	v.x.Lib.Send.SetStackViews(v.stack, all, macos.NSStackViewGravityTop)
}

func (v *view) spinner() macos.Ref {
	lib := v.x.Lib
	s := lib.New("NSProgressIndicator") // lives with the controller, and the process ends with that
	lib.Send.SetSpinning(s, macos.NSProgressIndicatorStyleSpinning)
	lib.Send.StartAnimation(s, 0)
	return macos.Ref(s)
}

func (v *view) label(text string) macos.Ref {
	lib := v.x.Lib
	s := lib.String(text)
	defer lib.Release(s)
	return macos.Ref(lib.Send.Label(lib.Class("NSTextField"), s))
}

// button makes a button that clicks tag.
func (v *view) button(title string, tag int) macos.Ref {
	lib := v.x.Lib
	s := lib.String(title)
	defer lib.Release(s)
	b := lib.Send.Button(lib.Class("NSButton"), s, v.controller, lib.Selector(chosenName))
	lib.Send.SetTag(b, tag)
	return macos.Ref(b)
}

// chosen is what buttons send.
func (x *Extension) chosen(self, button macos.ID) {
	select {
	case x.view(self).clicks <- x.Lib.Send.Tag(button):
	default: // a second click before the first was taken
	}
}

// click shows parts and waits for a button.
func (v *view) click(ctx context.Context, parts func() []macos.Ref) (int, error) {
	err := v.x.onMain(ctx, func() error {
		v.show(parts())
		return nil
	})
	if err != nil {
		return 0, err
	}
	select {
	case tag := <-v.clicks:
		return tag, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Verify asks for the finger or the login password.
func (v *view) Verify(ctx context.Context, reason string) error { return v.x.Verify(ctx, reason) }

// Choose shows a button for each account.
func (v *view) Choose(ctx context.Context, title string, accounts []string) (int, error) {
	tag, err := v.click(ctx, func() []macos.Ref {
		parts := []macos.Ref{v.label("Sign in to " + v.x.Legible(title) + " as")}
		for i, account := range accounts {
			parts = append(parts, v.button(v.x.Legible(account), i))
		}
		return append(parts, v.button("Cancel", buttonNone))
	})
	if err == nil && tag == buttonNone {
		return 0, ctap.OperationDenied
	}
	return tag, err
}

// Tell shows a message and waits for OK.
func (v *view) Tell(ctx context.Context, message string) {
	_, err := v.click(ctx, func() []macos.Ref { return []macos.Ref{v.label(message), v.button("OK", 0)} })
	if err != nil {
		v.x.Log.WarnContext(ctx, "a message was not acknowledged", "cause", err)
	}
}
