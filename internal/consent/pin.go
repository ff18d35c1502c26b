package consent

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the specification: three consecutive mismatches, and PINs are refused
// until the next power cycle (§6.5.5.6); 8 tries in all; 63 bytes (§6.5.1).
const (
	maxWrongInARow = 3
	maxPINRetries  = 8
	maxPINBytes    = 63
	paddedPINBytes = 64
	pinHashBytes   = 16 // LEFT(SHA-256(PIN), 16), §6.5.5.7
)

// MaxPINBytes is the longest PIN in UTF-8 bytes.
const MaxPINBytes = maxPINBytes

// chosen is a new PIN: its hash, and its length in code points.
type chosen struct {
	hash   secret.Bytes
	points uint
}

// put has the hardware replace the PIN. What the settings say of its length holds
// at every moment, for the old PIN and for the new: a crash may leave either.
func (g *Gate) put(ctx context.Context, from secret.Bytes, to chosen) error {
	before, err := g.Settings.Settings()
	if err != nil {
		return err
	}
	during := before
	during.PINLength = min(before.PINLength, to.points)
	if during.PINLength != before.PINLength {
		if err := g.Settings.PutSettings(during); err != nil {
			return err
		}
	}
	ended, err := g.endPersistent() // before the PIN, so that it cannot outlive it
	if err != nil {
		return err
	}
	err = g.PIN.Change(ctx, from, to.hash)
	if _, wrong := errors.AsType[*WrongPIN](err); wrong {
		if ended != nil {
			err = errors.Join(err, g.putPersistent(ended))
		}
		return errors.Join(err, g.Settings.PutSettings(before))
	}
	if err != nil {
		return err
	}
	// The new PIN is in force, whether the disk has room for this note of it or not.
	// Without it a change may be asked for once more than need be.
	during.PINLength, during.ForcePINChange = to.points, false
	_ = g.Settings.PutSettings(during)
	return nil
}

// checkPIN has verify check a PIN given at our prompt for rpID. The prompt may try again
// after a *WrongPIN; the third in a row ends it with UVBlocked.
func (g *Gate) checkPIN(rpID string, verify func() error) error {
	if g.Reinsert() {
		return ctap.UVBlocked
	}
	err := g.countPIN(rpID, verify())
	if wrong, ok := errors.AsType[*WrongPIN](err); ok {
		if wrong.Retries == 0 || g.Reinsert() {
			return ctap.UVBlocked
		}
		return &WrongPIN{Retries: g.retriesNow(wrong.Retries)}
	}
	return err
}

// retriesNow is how many of retries can be spent before a power cycle.
func (g *Gate) retriesNow(retries int) int {
	return max(0, min(retries, maxWrongInARow-int(g.wrongInARow.Load())))
}

// countPIN keeps the count of wrong PINs in a row. After each the key agreement
// key changes, so that a recorded message cannot be tried again (§6.5.5.7.2).
func (g *Gate) countPIN(rpID string, err error) error {
	if err == nil {
		g.wrongInARow.Store(0)
		return nil
	}
	wrong, ok := errors.AsType[*WrongPIN](err)
	if !ok {
		return err
	}
	g.wrongInARow.Add(1)
	g.noteWrongPIN(rpID, wrong)
	return errors.Join(err, g.agreement.Regenerate())
}

// platformAnswer counts a PIN that a platform sent and picks the answer to it.
func (g *Gate) platformAnswer(rpID string, err error) error {
	err = g.countPIN(rpID, err)
	wrong, ok := errors.AsType[*WrongPIN](err)
	switch {
	case !ok:
		return err
	case wrong.Retries == 0:
		return ctap.PINBlocked
	case g.Reinsert():
		return ctap.PINAuthBlocked
	default:
		return ctap.PINInvalid
	}
}

func hashPIN(pin []byte) secret.Bytes {
	sum := sha256.Sum256(pin)
	clear(sum[pinHashBytes:])
	return secret.Of(sum[:pinHashBytes:pinHashBytes])
}
