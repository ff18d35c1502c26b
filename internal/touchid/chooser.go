package touchid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// perPanel is how many accounts a panel shows at once: it does not scroll.
const perPanel = 4

// Question is what a panel asks: one of its buttons.
type Question struct {
	Title, Text string
	Buttons     []string // from the top; the last cancels
}

// ErrWithdrawn is a panel that has gone without an answer.
var ErrWithdrawn = errors.New("the panel was withdrawn")

// Panel shows questions on the screen.
type Panel interface {
	// Ask shows a question and waits for a button, which it gives by its index. A dead context takes
	// the panel away.
	Ask(ctx context.Context, q Question) (int, error)
}

// Chooser has the person choose an account on a panel, some at a time. Touch ID then asks for the
// one that was chosen.
type Chooser struct{ Panel Panel }

// Choose gives the index of the account that the person wants, newest first as in the ask.
func (c Chooser) Choose(ctx context.Context, ask authenticator.Ask) (int, error) {
	names := distinct(ask.Accounts)
	for first := 0; ; first = next(first, len(names)) {
		q := question(ask, names, first)
		button, err := c.Panel.Ask(ctx, q)
		last := len(q.Buttons) - 1
		shown := min(perPanel, len(names)-first)
		switch {
		case ctx.Err() != nil:
			return 0, errors.Join(ctx.Err(), err)
		case errors.Is(err, ErrWithdrawn):
			return 0, &ctap.Problem{Status: ctap.KeepaliveCancel, What: "the question was withdrawn", Hint: "try again", Cause: err}
		case err != nil:
			return 0, &ctap.Problem{Status: ctap.OperationDenied, What: "there are several accounts, and asking which did not work", Hint: "have the site ask for your user name first", Cause: err}
		case button >= 0 && button < shown:
			return first + button, nil
		case button >= shown && button < last: // "Show others"
		default:
			return 0, &ctap.Problem{Status: ctap.OperationDenied, What: "you refused"}
		}
	}
}

// next is where the panel after the one that begins with first begins; after the last comes the first.
func next(first, all int) int {
	if first += perPanel; first < all {
		return first
	}
	return 0
}

// question shows the accounts from first on. What sites chose has words of ours before it: macOS
// gives a button that is called "Cancel" the Esc key.
func question(ask authenticator.Ask, names []string, first int) Question {
	service := prompt.Service(ask.RP.ID)
	q := Question{Title: "Which account for " + service + "?"}
	until := min(first+perPanel, len(names))
	q.Text = fmt.Sprintf("There are %d here, the newest first", len(names))
	if len(names) > perPanel {
		q.Text += fmt.Sprintf(": these are %d to %d", first+1, until)
	}
	q.Text += ". Touch ID asks next."
	if page := prompt.Legible(ask.Caller.Page, maxAccount); page != "" {
		q.Text = "Asked on the page " + page + ". " + q.Text
	}
	for _, name := range names[first:until] {
		q.Buttons = append(q.Buttons, "Continue as "+name)
	}
	if len(names) > perPanel {
		q.Buttons = append(q.Buttons, "Show others")
	}
	q.Buttons = append(q.Buttons, "Cancel")
	return q
}

// distinct names the accounts so that no two look alike: a site may have several of one name.
func distinct(accounts []ctap.User) []string {
	names := make([]string, len(accounts))
	seen := map[string]int{}
	for i, account := range accounts {
		name := prompt.Legible(prompt.Account(account), maxAccount)
		seen[strings.ToLower(name)]++
		if n := seen[strings.ToLower(name)]; n > 1 {
			name = fmt.Sprintf("%s, no. %d", name, n)
		}
		names[i] = name
	}
	return names
}
