package touchid_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// panel presses buttons by their titles, and notes what was shown.
type panel struct {
	press []string // "" for a button that is none
	fail  error
	shown []touchid.Question
}

func (p *panel) Ask(_ context.Context, q touchid.Question) (int, error) {
	p.shown = append(p.shown, q)
	if p.fail != nil {
		return 0, p.fail
	}
	title := p.press[0]
	p.press = p.press[1:]
	return slices.Index(q.Buttons, title), nil
}

func accounts(n int) []ctap.User {
	var all []ctap.User
	for i := range n {
		all = append(all, ctap.User{Name: fmt.Sprintf("u%d", i)})
	}
	return all
}

// TestChooser: an account is chosen before Touch ID asks for that one, whatever their number.
func TestChooser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accounts, want int
		press          []string
	}{
		{2, 0, []string{"Continue as u0"}},
		{2, 1, []string{"Continue as u1"}},
		{4, 3, []string{"Continue as u3"}},
		{5, 4, []string{"Show others", "Continue as u4"}},
		{9, 8, []string{"Show others", "Show others", "Continue as u8"}},
		{9, 1, []string{"Show others", "Show others", "Show others", "Continue as u1"}},
		{2, -1, []string{"Cancel"}},
		{5, -1, []string{"Show others", "Cancel"}},
		{2, -1, []string{""}},
	} {
		p, s := &panel{press: c.press}, &sensor{}
		ask := signIn()
		ask.Accounts = accounts(c.accounts)
		yes, err := touchid.User{Sensor: s, Choose: touchid.Chooser{Panel: p}.Choose}.Approve(t.Context(), ask)
		if c.want < 0 {
			if !errors.Is(err, ctap.OperationDenied) || len(s.shown) != 0 {
				t.Errorf("%v: %v, asked for a finger %q", c.press, err, s.shown)
			}
			continue
		}
		if err != nil || yes.Account != c.want || len(s.shown) != 1 || s.shown[0] != fmt.Sprintf("sign in to example.com as u%d", c.want) {
			t.Errorf("%v: %+v, %v, asked for a finger %q", c.press, yes, err, s.shown)
		}
		for _, q := range p.shown {
			if len(q.Buttons) > 6 || q.Buttons[len(q.Buttons)-1] != "Cancel" || slices.Contains(q.Buttons, "Show others") != (c.accounts > 4) {
				t.Errorf("%d accounts are shown as %q", c.accounts, q.Buttons)
			}
		}
	}
}

// TestPanelSays: site, page and accounts, made harmless and told apart.
func TestPanelSays(t *testing.T) {
	t.Parallel()
	p := &panel{press: []string{"Cancel"}}
	ask := signIn()
	ask.Caller.Page = "https://login.example.com"
	ask.Accounts = []ctap.User{{Name: "Cancel"}, {Name: "a\u202e\nb"}, {Name: "cancel"}, {}, {Name: strings.Repeat("x", 999)}}
	if _, err := (touchid.Chooser{Panel: p}).Choose(t.Context(), ask); !errors.Is(err, ctap.OperationDenied) {
		t.Error(err)
	}
	want := touchid.Question{
		Title:   "Which account for example.com?",
		Text:    "Asked on the page https://login.example.com. There are 5 here, the newest first: these are 1 to 4. Touch ID asks next.",
		Buttons: []string{"Continue as Cancel", "Continue as a b", "Continue as cancel, no. 2", "Continue as (no name)", "Show others", "Cancel"},
	}
	if got := p.shown[0]; got.Title != want.Title || got.Text != want.Text || !slices.Equal(got.Buttons, want.Buttons) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPanelFails: whatever becomes of the panel, nobody is signed in by it.
func TestPanelFails(t *testing.T) {
	t.Parallel()
	ask := signIn()
	ask.Accounts = accounts(2)
	for want, fail := range map[ctap.Status]error{ctap.OperationDenied: errors.New("no AppKit"), ctap.KeepaliveCancel: touchid.ErrWithdrawn} {
		_, err := touchid.Chooser{Panel: &panel{fail: fail}}.Choose(t.Context(), ask)
		p, ok := errors.AsType[*ctap.Problem](err)
		if !ok || p.Status != want || p.Hint == "" || !errors.Is(err, fail) {
			t.Errorf("%v: %v", fail, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (touchid.Chooser{Panel: &panel{press: []string{"Continue as u0"}}}).Choose(ctx, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("a dead question was answered: %v", err)
	}
}
