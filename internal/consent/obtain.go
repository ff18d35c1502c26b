package consent

import (
	"context"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/consent/beside"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// askTimeout is how long a question stays open. Ours; platforms cancel sooner or
// later by their own clocks.
const askTimeout = 2 * time.Minute

// Use is what is being readied while the person is asked.
type Use interface {
	// Verify has the hardware check the PIN as part of this use; see PIN.
	Verify(ctx context.Context, pinHash secret.Bytes) (Grant, error)
	// Close frees it; a nil Use must take it too.
	Close() error
}

// Consent is a yes to the account of that number. Named tells whether the person
// was shown whose it is.
type Consent[U Use] struct {
	Use     U
	Account int
	Named   bool
}

// Obtain asks the person while prepare runs, so that after the gesture only the
// signature is left (§6.1.2 steps 11 and 14, §6.2.2 steps 6 and 9). With the
// token's user-present flag there is no question, unless there is something to choose.
// On success the token is spent and the caller closes the use.
func Obtain[U Use](ctx context.Context, g *Gate, z *Authorization, ask Ask, prepare func(context.Context) (U, error)) (Consent[U], error) {
	if z.token != nil && z.token.covers(&ask, time.Now()) {
		use, err := prepare(ctx)
		if err != nil {
			return Consent[U]{}, err
		}
		z.spend()
		return Consent[U]{Use: use, Named: z.token.named(&ask)}, nil
	}
	ctx, stop := context.WithDeadline(ctx, z.deadline(time.Now()))
	defer stop()
	if z.builtIn {
		if err := g.countTries(ctx, &ask); err != nil {
			return Consent[U]{}, z.refusal(err)
		}
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	job := beside.Run(ctx, fail, prepare)
	approval, err := askVerified(ctx, g, z, ask, job)
	if err != nil {
		fail(err) // the preparation is of no use any more
	}
	use, jobErr := job.Wait()
	if err == nil {
		err = jobErr
	}
	if err == nil {
		z.spend()
		return Consent[U]{Use: use, Account: approval.Account, Named: len(ask.Accounts) > 0}, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // refused, cancelled, too late, or not prepared
	}
	return Consent[U]{}, errors.Join(z.refusal(err), use.Close())
}

// deadline is when the question closes: no later than the grant expires.
func (z *Authorization) deadline(now time.Time) time.Time {
	deadline := now.Add(askTimeout)
	if z.token != nil && z.token.grantDeadline().Before(deadline) {
		return z.token.grantDeadline()
	}
	return deadline
}

// refusal maps a failed built-in verification so that platforms go on to collect
// the PIN themselves (§6.1.2 step 11.2). A person's no stays a no.
func (z *Authorization) refusal(err error) error {
	if z.builtIn && (errors.Is(err, ctap.UVBlocked) || errors.Is(err, ctap.UVInvalid)) {
		return ctap.PUATRequired
	}
	return err
}

// askVerified asks, and with built-in verification insists that the hardware has
// accepted the PIN.
func askVerified[U Use](ctx context.Context, g *Gate, z *Authorization, ask Ask, job *beside.Job[U]) (Approval, error) {
	if z.builtIn {
		g.verifiedBy(&ask, func(ctx context.Context, hash secret.Bytes) error {
			use, err := job.Wait()
			if err == nil {
				z.grant, err = use.Verify(ctx, hash)
				z.owned, z.verified = true, err == nil
			}
			return err
		})
	}
	approval, err := g.open(ctx, ask)
	if err == nil && z.builtIn && !z.verified {
		return Approval{}, ctap.OperationDenied
	}
	return approval, err
}

// open opens one question.
func (g *Gate) open(ctx context.Context, ask Ask) (Approval, error) {
	ask.Caller, _ = ctap.CallerFrom(ctx)
	ctap.Report(ctx, ctap.ProgressUserNeeded)
	defer ctap.Report(ctx, ctap.ProgressProcessing)
	approval, err := g.User.Approve(ctx, ask)
	if err != nil {
		g.noteRefusal(ctx, ask, err)
		return Approval{}, err
	}
	if approval.Account < 0 || approval.Account >= max(1, len(ask.Accounts)) {
		return Approval{}, ctap.OperationDenied
	}
	return approval, nil
}

// Confirm asks a question that no key waits for.
func (g *Gate) Confirm(ctx context.Context, ask Ask) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := g.open(ctx, ask)
	return err
}

// Touch waits for the person, then answers as §6.1.2 step 1 demands.
func (g *Gate) Touch(ctx context.Context) error {
	if err := g.Confirm(ctx, Ask{Operation: OperationSelect}); err != nil {
		return err
	}
	if g.PIN.IsSet() {
		return ctap.PINInvalid
	}
	return ctap.PINNotSet
}

// countTries tells the question how many tries the PIN has; with none left the
// question is not opened.
func (g *Gate) countTries(ctx context.Context, ask *Ask) error {
	retries, err := g.PIN.Retries(ctx)
	if err != nil {
		return err
	}
	if ask.Retries = g.retriesNow(retries); ask.Retries == 0 {
		return ctap.UVBlocked
	}
	return nil
}

// verifiedBy has the question verify the user: check shows the hardware a PIN's hash, or the
// zero Bytes for the PIN that it holds. No finger changes what is demanded, or resets.
func (g *Gate) verifiedBy(ask *Ask, check func(ctx context.Context, hash secret.Bytes) error) {
	ask.Verify = func(ctx context.Context, pin secret.Bytes) error {
		hash := hashPIN(pin.Reveal())
		defer hash.Wipe()
		return g.checkPIN(ask.RP.ID, func() error { return check(ctx, hash) })
	}
	if !g.Fingers || ask.Permissions&ctap.PermissionConfiguration != 0 || ask.Operation == OperationReset {
		return
	}
	ask.ByFinger = func(ctx context.Context) error {
		err := g.checkPIN(ask.RP.ID, func() error { return check(ctx, secret.Bytes{}) })
		if err == nil {
			g.note(ctx, ctap.AuditFinger, ask.RP.ID, "", string(ask.Operation))
		}
		return err
	}
}

// VerifyUser asks a question together with the PIN, outside of any use of a key.
// It gives a grant where rpIDHash names a relying party.
func (g *Gate) VerifyUser(ctx context.Context, ask Ask, rpIDHash *[32]byte) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := g.countTries(ctx, &ask); err != nil {
		return nil, err
	}
	var grant Grant
	verified := false
	g.verifiedBy(&ask, func(ctx context.Context, hash secret.Bytes) (err error) {
		grant, err = g.PIN.Verify(ctx, hash, rpIDHash)
		verified = err == nil
		return err
	})
	_, err := g.open(ctx, ask)
	if err == nil && !verified {
		err = ctap.OperationDenied
	}
	if err != nil {
		drop(grant)
		return nil, err
	}
	return grant, nil
}
