package pinentry

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// title is what dialogs are called.
const title = "LocalPasskey"

// maxLosses is how many lost passkeys a dialog names: it holds a thousand bytes.
const maxLosses = 8

// Pinentry asks by a program. It is an authenticator.User.
type Pinentry struct {
	// Program is the program's path.
	Program string
	// Terminal is where a program without a display asks, and where we ask when the
	// program cannot; nil where there is none.
	Terminal *prompt.Terminal

	turn chan struct{} // held while a question is open
}

var _ authenticator.User = (*Pinentry)(nil)

// New asks by program, which Find has found; see Pinentry.
func New(program string, terminal *prompt.Terminal) *Pinentry {
	return &Pinentry{Program: program, Terminal: terminal, turn: make(chan struct{}, 1)}
}

// Find gives the path of the pinentry program name, or where that is "" of the one that
// the system prefers. ok is false where there is none.
func Find(name string) (path string, ok bool) {
	names := []string{name}
	if name == "" {
		names = []string{"pinentry", "pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-curses", "pinentry-tty"}
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path, true
		}
	}
	return "", false
}

// Approve asks the person. See consent.User for what it promises.
func (p *Pinentry) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return authenticator.Approval{}, ctx.Err()
	}
	approval, err := p.lend(ctx, func() (authenticator.Approval, error) { return p.consent(ctx, ask) })
	switch {
	case ctx.Err() != nil:
		return authenticator.Approval{}, ctx.Err()
	case errors.Is(err, ErrNotShown) && p.Terminal != nil:
		return p.Terminal.Approve(ctx, ask)
	case errors.Is(err, ErrNotShown):
		return authenticator.Approval{}, errors.Join(ctap.OperationDenied, err)
	case err != nil:
		return authenticator.Approval{}, err
	}
	return approval, nil
}

// lend has do run while the terminal, if there is one, is the program's.
func (p *Pinentry) lend(ctx context.Context, do func() (authenticator.Approval, error)) (approval authenticator.Approval, err error) {
	if p.Terminal == nil {
		return do()
	}
	err = p.Terminal.Lend(ctx, func() error {
		approval, err = do()
		return err
	})
	return approval, err
}

// consent collects all that the question wants.
func (p *Pinentry) consent(ctx context.Context, ask authenticator.Ask) (approval authenticator.Approval, err error) {
	if len(ask.Losses) > maxLosses {
		ask.Losses = ask.Losses[:maxLosses]
	}
	if len(ask.Accounts) > 1 {
		if approval.Account, err = p.choose(ctx, ask); err != nil {
			return approval, err
		}
		ask.Accounts = ask.Accounts[approval.Account : approval.Account+1]
		if ask.Verify == nil {
			return approval, nil // the choice was the consent
		}
	}
	d, err := p.dialog(ask)
	switch {
	case err != nil:
		return approval, err
	case ask.Verify != nil:
		return approval, p.verify(ctx, d, ask)
	case ask.Operation == authenticator.OperationReset:
		return approval, p.exactly(ctx, d, "reset")
	default:
		return approval, p.confirm(ctx, d)
	}
}

// dialog says what is asked.
func (p *Pinentry) dialog(ask authenticator.Ask) (*dialog, error) {
	question, ok := prompt.Describe(ask)
	if !ok {
		return nil, ctap.OperationDenied // nothing is approved that cannot be said
	}
	d := &dialog{
		program: p.Program, text: plain(question), yes: verb(ask.Operation), no: noButton(ask),
	}
	if p.Terminal != nil {
		d.ttyName = ttyPath
	}
	return d, nil
}

// ttyPath is this process's terminal under the name that its children know it by too.
const ttyPath = "/dev/tty"

// plain replaces what a toolkit could take for markup.
func plain(text string) string {
	return strings.NewReplacer("<", "‹", ">", "›", "&", "＆").Replace(strings.TrimRight(text, "\n"))
}

// verb names the button that allows.
func verb(o authenticator.Operation) string {
	switch o {
	case authenticator.OperationRegister:
		return "Create passkey"
	case authenticator.OperationSignIn:
		return "Sign in"
	case authenticator.OperationReset:
		return "Destroy"
	default:
		return "Allow"
	}
}

// noButton names the button that does not allow. A browser whose page asks then lets the
// person take another device.
func noButton(ask authenticator.Ask) string {
	ceremony := ask.Operation == authenticator.OperationRegister || ask.Operation == authenticator.OperationSignIn
	if ceremony && ask.Caller.Page != "" {
		return "Use another device"
	}
	return "Refuse"
}

// choose shows a page for each account, the newest first, until one is taken. Where
// there are two buttons only (GNOME), refusing one is going on to the next.
func (p *Pinentry) choose(ctx context.Context, ask authenticator.Ask) (int, error) {
	accounts := ask.Accounts
	for i := range accounts {
		ask.Accounts = accounts[i : i+1]
		d, err := p.dialog(ask)
		if err != nil {
			return 0, err
		}
		d.text = fmt.Sprintf("%s\n\nThis is account %d of %d.", d.text, i+1, len(accounts))
		if i+1 < len(accounts) {
			d.neither = "Another account"
		}
		got, err := p.page(ctx, d)
		switch {
		case err != nil:
			return 0, err
		case got == answerYes:
			return i, nil
		case got == answerNo:
			return 0, ctap.OperationDenied
		}
	}
	return 0, ctap.OperationDenied
}

// page shows one account.
func (p *Pinentry) page(ctx context.Context, d *dialog) (answer, error) {
	r, err := d.open(ctx)
	if err != nil {
		return answerNo, err
	}
	defer r.close()
	twoButtons := false
	if d.neither != "" {
		if twoButtons, err = r.twoButtons(); err != nil {
			return answerNo, err
		}
	}
	if twoButtons {
		if err := r.set("SETCANCEL", d.neither); err != nil {
			return answerNo, fmt.Errorf("%w: %w", ErrNotShown, err)
		}
	}
	got, err := r.confirm()
	if got == answerNo && twoButtons {
		got = answerNeither
	}
	return got, err
}

// twoButtons recognises the one program that shows no third button: GNOME's.
func (r *running) twoButtons() (bool, error) {
	flavor, err := r.do("GETINFO", "flavor")
	if _, unknown := errors.AsType[*refused](err); err != nil && !unknown {
		return false, fmt.Errorf("%w: %w", ErrNotShown, err)
	}
	return strings.HasPrefix(string(flavor.Reveal()), "gnome3"), nil
}

func (p *Pinentry) confirm(ctx context.Context, d *dialog) error {
	r, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	got, err := r.confirm()
	if err == nil && got != answerYes {
		err = ctap.OperationDenied
	}
	return err
}

// Choose puts a question of our own, with these two buttons. It tells whether it was yes;
// where nothing can be shown it was no.
func (p *Pinentry) Choose(ctx context.Context, question, yes, no string) bool {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return false
	}
	_, err := p.lend(ctx, func() (authenticator.Approval, error) {
		d := &dialog{program: p.Program, text: plain(question), yes: yes, no: no}
		if p.Terminal != nil {
			d.ttyName = ttyPath
		}
		return authenticator.Approval{}, p.confirm(ctx, d)
	})
	return err == nil
}

// exactly has a word typed: what cannot be undone is more than one key.
func (p *Pinentry) exactly(ctx context.Context, d *dialog, word string) error {
	d.prompt = "Type " + word + ":"
	r, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	typed, err := r.secret()
	defer typed.Wipe()
	if err == nil && string(typed.Reveal()) != word {
		err = ctap.OperationDenied
	}
	return err
}

// verify collects the PIN until it is right. Typing it is the yes.
func (p *Pinentry) verify(ctx context.Context, d *dialog, ask authenticator.Ask) error {
	d.prompt = "PIN:"
	question := d.text
	for tries := ask.Retries; ; {
		d.text = question + "\n\n" + prompt.Tries(tries) + " left."
		if ask.ByFinger != nil {
			d.text = question + "\n\nTouch the fingerprint reader, or type the PIN: " + prompt.Tries(tries) + " left."
		}
		err := p.try(ctx, d, ask)
		wrong, again := errors.AsType[*authenticator.WrongPIN](err)
		if !again || wrong.Retries == 0 {
			return err
		}
		tries = wrong.Retries
		d.fault = "Wrong PIN."
		ask.ByFinger = nil // none counts any more
	}
}

// try collects one PIN. The dialog is closed while the hardware checks it.
func (p *Pinentry) try(ctx context.Context, d *dialog, ask authenticator.Ask) error {
	pin, err := p.read(ctx, d)
	defer pin.Wipe()
	if err != nil {
		return err
	}
	if pin.IsZero() {
		return ctap.OperationDenied
	}
	return ask.Verify(ctx, pin)
}

func (p *Pinentry) read(ctx context.Context, d *dialog) (secret.Bytes, error) {
	r, err := d.open(ctx)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer r.close()
	return r.secret()
}
