package prompt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/process"
)

var (
	_ authenticator.User = (*Terminal)(nil)
	_ authenticator.User = Nobody{}
)

// Nobody stands where no person can be asked. It refuses everything.
type Nobody struct{ Log *slog.Logger }

// Approve refuses with ctap.OperationDenied.
func (n Nobody) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	n.Log.WarnContext(ctx, "refused: there is no terminal to ask at", "operation", ask.Operation)
	return authenticator.Approval{}, ctap.OperationDenied
}

// Approve asks the person. See consent.User for what it promises.
func (t *Terminal) Approve(ctx context.Context, ask authenticator.Ask) (approval authenticator.Approval, err error) {
	err = t.open(ctx, func(q *asking) error {
		question, ok := Describe(ask)
		if !ok {
			return ctap.OperationDenied // nothing is approved that cannot be said
		}
		q.print("\a\n%s", question)
		approval, err = q.consent(ctx, ask)
		q.print("%s\n", outcome(err, ask.ByFinger != nil))
		return err
	})
	if isRefusal(err) {
		err = errors.Join(ctap.OperationDenied, err)
	}
	if err != nil {
		return authenticator.Approval{}, err
	}
	return approval, nil
}

// isRefusal tells answers that are none.
func isRefusal(err error) bool {
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrTooLong) || errors.Is(err, ErrBackground)
}

// consent collects all that the question wants.
func (q *asking) consent(ctx context.Context, ask authenticator.Ask) (approval authenticator.Approval, err error) {
	if len(ask.Accounts) > 1 {
		if approval.Account, err = q.choose(ctx, len(ask.Accounts)); err != nil {
			return approval, err
		}
	}
	switch {
	case ask.Operation == authenticator.OperationReset:
		err = q.exactly(ctx, "reset", "Type reset to go on; anything else refuses: ")
	case ask.Verify == nil:
		err = q.exactly(ctx, "yes", "Type yes to allow it; anything else refuses: ")
	}
	if err == nil && ask.Verify != nil {
		err = q.verify(ctx, ask)
	}
	return approval, err
}

func (q *asking) choose(ctx context.Context, accounts int) (int, error) {
	answer, err := q.line(ctx, fmt.Sprintf("Which account? 1–%d; anything else refuses: ", accounts))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > accounts {
		return 0, ctap.OperationDenied
	}
	return n - 1, nil
}

func (q *asking) exactly(ctx context.Context, word, question string) error {
	answer, err := q.line(ctx, question)
	if err == nil && answer != word {
		err = ctap.OperationDenied
	}
	return err
}

// verify collects the PIN until it is right. Typing it is the yes.
func (q *asking) verify(ctx context.Context, ask authenticator.Ask) error {
	tries := ask.Retries
	if ask.ByFinger != nil {
		q.print("Touch the fingerprint reader, or type the PIN.\n")
	}
	for {
		pin, err := q.secret(ctx, fmt.Sprintf("PIN to allow it, %s left; nothing refuses: ", Tries(tries)))
		if err != nil {
			return err
		}
		if pin.IsZero() {
			return ctap.OperationDenied
		}
		err = ask.Verify(ctx, pin)
		pin.Wipe()
		wrong, again := errors.AsType[*authenticator.WrongPIN](err)
		if !again || wrong.Retries == 0 {
			return err
		}
		tries = wrong.Retries
		q.print("Wrong PIN.\n")
	}
}

// Tries says how many tries there are.
func Tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// outcome is the last line of a question. finger: one may have answered it.
func outcome(err error, finger bool) string {
	switch {
	case err == nil:
		return "Allowed."
	case errors.Is(err, ctap.OperationDenied), isRefusal(err):
		return "Refused."
	case errors.Is(err, context.Canceled) && finger:
		return "Closed: a finger has answered, or the question was withdrawn."
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "Withdrawn."
	case errors.Is(err, ctap.UVBlocked), errors.Is(err, ctap.PINBlocked):
		return "Wrong PIN, and no tries left for now: see `localpasskey status`."
	default:
		return "It did not work."
	}
}

// Describe says what is asked, for whom, and by whom, in lines of text that are
// harmless to show. ok is false for what it has no words for: that is refused.
func Describe(ask authenticator.Ask) (question string, ok bool) {
	var b strings.Builder
	service := Service(ask.RP.ID)
	switch ask.Operation {
	case authenticator.OperationRegister:
		fmt.Fprintf(&b, "Create a passkey for %s\n", service)
		if ask.Replaces {
			b.WriteString("It REPLACES the account's passkey that is here: that one is lost.\n")
		}
	case authenticator.OperationSignIn:
		fmt.Fprintf(&b, "Sign in to %s\n", service)
	case authenticator.OperationExists:
		fmt.Fprintf(&b, "%s asks whether this machine has a passkey for the account already.\n"+
			"It has. Allowing it tells the site so; nothing is signed.\n", service)
	case authenticator.OperationSelect:
		b.WriteString("A program asks whether this is the authenticator you mean. Nothing is signed.\n")
	case authenticator.OperationRelax:
		b.WriteString("Stop demanding the PIN for every use. There is no PIN yet. Passkeys made from then on work\n" +
			"without it in the TPM too: only this program stands between your yes and a signature.\n")
	case authenticator.OperationPIN:
		describeVerification(&b, ask)
	case authenticator.OperationReset:
		describeReset(&b, ask)
	default:
		return "", false
	}
	if name := Legible(ask.RP.Name, maxName); name != "" && name != service {
		field(&b, "which calls itself", name)
	}
	describeAccounts(&b, ask.Accounts)
	if page := ask.Caller.Page; page != "" {
		field(&b, "on the page", Legible(page, maxOrigin))
	}
	if top := ask.Caller.Top; top != "" {
		field(&b, "which is part of", Legible(top, maxOrigin))
	}
	if programs := programs(ask.Caller); programs != "" {
		field(&b, "asked by (a hint, programs can lie)", programs)
	}
	return b.String(), true
}

func field(b *strings.Builder, name, value string) {
	fmt.Fprintf(b, "  %s: %s\n", name, value)
}

// describeVerification says all that the token permits: no other question follows.
func describeVerification(b *strings.Builder, ask authenticator.Ask) {
	whose := "all your passkeys"
	if ask.RP.ID != "" {
		whose = "your passkeys for " + Service(ask.RP.ID)
	}
	b.WriteString("A program asks for the PIN, and may then, without asking again:\n")
	for _, may := range []struct {
		permission ctap.Permission
		do         string
	}{
		{ctap.PermissionGetAssertion, "sign in to " + Service(ask.RP.ID)},
		{ctap.PermissionMakeCredential, "create a passkey for " + Service(ask.RP.ID)},
		{ctap.PermissionPersistentReadOnly, "look through all your passkeys, again and again until the PIN is changed"},
		{ctap.PermissionLargeBlobWrite, "overwrite what sites keep here in large blobs"},
		{ctap.PermissionConfiguration, "change what is demanded: whether the PIN is always needed, and how long it is"},
		{ctap.PermissionCredentialManagement, "look through, change and DELETE " + whose},
	} {
		if ask.Permissions&may.permission != 0 {
			fmt.Fprintf(b, "  - %s\n", may.do)
		}
	}
}

func describeReset(b *strings.Builder, ask authenticator.Ask) {
	if ask.Lost == 0 {
		b.WriteString("Reset: start over, without the PIN. There are no passkeys to lose.\n")
		return
	}
	fmt.Fprintf(b, "Reset: DESTROY all passkeys of this authenticator, %d in number, and the PIN.\n"+
		"Nobody can bring them back. Lost are:\n", ask.Lost)
	for _, loss := range ask.Losses {
		fmt.Fprintf(b, "  - %s\n", Legible(loss, maxService+maxName))
	}
	if more := ask.Lost - len(ask.Losses); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

func describeAccounts(b *strings.Builder, accounts []ctap.User) {
	switch len(accounts) {
	case 0:
	case 1:
		field(b, "account", Account(accounts[0]))
	default:
		b.WriteString("  accounts, the newest first:\n")
		for i, user := range accounts {
			fmt.Fprintf(b, "    %d  %s\n", i+1, Account(user))
		}
	}
}

// Account names an account by the words its site has for it, made legible.
func Account(user ctap.User) string {
	name, display := Legible(user.Name, maxName), Legible(user.DisplayName, maxName)
	switch {
	case name == "" && display == "":
		return "(no name)"
	case name == "":
		return display
	case display == "" || display == name:
		return name
	default:
		return name + " (" + display + ")"
	}
}

// programs names who asks, nearest first: the chain that the door knows, or else
// those of all programs that have the door's node open.
func programs(c ctap.Caller) string {
	if len(c.Programs) > 0 || c.Node == "" {
		return chain(c.Programs)
	}
	var all []string
	for _, holder := range process.HolderChains(c.Node) {
		if one := chain(holder); one != "" && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return strings.Join(all, ", or ")
}

func chain(programs []string) string {
	names := make([]string, 0, len(programs))
	for _, p := range programs {
		names = append(names, Legible(p, maxName))
	}
	return strings.Join(names, " ← ")
}
