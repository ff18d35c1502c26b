// Package problem says in words what a TPM's answers mean, and what to do.
//
//	TPM_RC_INTEGRITY ─► Explain ─► "this store was made on another machine, …"
//	                               hint: "move the store away and run …"
//
// Causes stay in the error for the local log; they hold codes, never secrets.
//
// This package refuses to know what was being done when it happened.
package problem

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// StartAfresh is the only way on when the keys are lost.
const StartAfresh = "the passkeys of this store cannot be used any more; move the store away, run `localpasskey setup` and register this machine again where you signed in with it"

// ErrGone is in every error that says that the keys are not in the TPM any more, for
// good: what Foreign and Ended say.
var ErrGone = errors.New("the keys are gone from the TPM")

// gone is ErrGone with a cause, if there is one.
func gone(cause error) error {
	if cause == nil {
		return ErrGone
	}
	return fmt.Errorf("%w: %w", ErrGone, cause)
}

// Foreign says that this TPM is not the one, or no longer the one, that the ledger
// was written with. how tells what was seen.
func Foreign(how string, cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "this store was made on another machine, or the TPM was cleared: " + how,
		Hint:   StartAfresh,
		Cause:  gone(cause),
	}
}

// Ended says that the TPM is the right one, but the PIN index was removed from it.
func Ended(cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "LocalPasskey's PIN index was removed from the TPM",
		Hint:   StartAfresh,
		Cause:  gone(cause),
	}
}

// Unsupported says what the TPM cannot do.
func Unsupported(what string, cause error) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "this TPM cannot keep a PIN for LocalPasskey: " + what,
		Hint:   "LocalPasskey needs TPM 2.0 with NV PIN indices (specification 1.38 or later); look for a firmware update of the TPM",
		Cause:  cause,
	}
}

// OwnerRefusal explains what the owner hierarchy answers.
func OwnerRefusal(err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCBadAuth), errors.Is(err, tpm2.TPMRCAuthFail):
		return &ctap.Problem{
			Status: ctap.Other,
			What:   "somebody has set an owner password on this TPM, so it lets nobody else make or remove an index",
			Hint:   "remove the password while LocalPasskey works (tpm2_changeauth -c owner -p PASSWORD), then set it again",
			Cause:  err,
		}
	case errors.Is(err, tpm2.TPMRCNVSpace):
		return &ctap.Problem{
			Status: ctap.KeyStoreFull,
			What:   "the TPM's memory is full: there is no room for one more index of 8 bytes",
			Hint:   "list the indices with `tpm2_getcap handles-nv-index` and remove one that nothing uses any more",
			Cause:  err,
		}
	default:
		return err
	}
}

// Explain turns what came of a conversation with the TPM into what a caller gets.
func Explain(err error) error {
	var problem *ctap.Problem
	var status ctap.Status
	var rc tpm2.TPMRC
	switch {
	case err == nil, errors.As(err, &problem), errors.As(err, &status),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, wire.ErrBusy):
		return &ctap.Problem{
			Status: ctap.Other,
			What:   "the TPM is busy",
			Hint:   "try again; if it stays so, another program holds its sessions or objects, or it is testing itself",
			Cause:  err,
		}
	case errors.Is(err, tpm2.TPMRCIntegrity):
		return Foreign("its TPM did not wrap this key", err)
	case errors.Is(err, tpm2.TPMRCHandle): // What asks for our index has explained that already.
		return Foreign("its storage key is gone", err)
	case errors.Is(err, tpm2.TPMRCCommandCode):
		return Unsupported("it lacks a command", err)
	case errors.Is(err, tpm2.TPMRCFailure):
		return &ctap.Problem{
			Status: ctap.Other,
			What:   "the TPM has found a fault in itself and does nothing any more",
			Hint:   "switch the machine off and on; if it stays so, the chip is broken or needs a firmware update",
			Cause:  err,
		}
	case errors.As(err, &rc):
		return err
	default:
		return &ctap.Problem{
			Status: ctap.Other,
			What:   "the TPM does not answer",
			Hint:   "try again; if it stays so, restart the machine and look at its firmware's TPM settings",
			Cause:  err,
		}
	}
}

// NotSetUp says that there is no store yet.
func NotSetUp() error {
	return &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "LocalPasskey is not set up",
		Hint:   "run `localpasskey setup`",
	}
}

// AlreadySetUp says that there is one, and what to do about it.
func AlreadySetUp() error {
	return &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "LocalPasskey is set up already",
		Hint:   "run `localpasskey status` to look at it, or `localpasskey reset` to begin anew without its passkeys",
	}
}
