package tpm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// startAfresh is the only way on when the keys are lost.
const startAfresh = "the passkeys of this store cannot be used any more; move the store away, run `localpasskey setup` and register this machine again where you signed in with it"

func notSetUp() error {
	return &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "LocalPasskey is not set up",
		Hint:   "run `localpasskey setup`",
	}
}

func alreadySetUp() error {
	return &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "LocalPasskey is set up already",
		Hint:   "run `localpasskey status` to look at it, or `localpasskey reset` to begin anew without its passkeys",
	}
}

// foreign says that this TPM is not the one, or no longer the one, that the ledger
// was written with. how tells what was seen.
func foreign(how string, cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "this store was made on another machine, or the TPM was cleared: " + how,
		Hint:   startAfresh,
		Cause:  cause,
	}
}

// ended says that the TPM is the right one, but the PIN index was removed from it.
func ended(cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "LocalPasskey's PIN index was removed from the TPM",
		Hint:   startAfresh,
		Cause:  cause,
	}
}

func damagedLedger(cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "the record of the TPM's keys is damaged",
		Hint:   "it was left as it is; put the store's file back from where it was copied, or: " + startAfresh,
		Cause:  cause,
	}
}

func otherLedger(version uint) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   fmt.Sprintf("the record of the TPM's keys has format %d, and this localpasskey reads format %d only", version, ledgerVersion),
		Hint:   "use the version of localpasskey that wrote it",
	}
}

func unsupported(what string, cause error) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "this TPM cannot keep a PIN for LocalPasskey: " + what,
		Hint:   "LocalPasskey needs TPM 2.0 with NV PIN indices (specification 1.38 or later); look for a firmware update of the TPM",
		Cause:  cause,
	}
}

// ownerRefusal explains what the owner hierarchy answers.
func ownerRefusal(err error) error {
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

// explain turns what came of a conversation with the TPM into what a caller gets.
func explain(err error) error {
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
		return foreign("its TPM did not wrap this key", err)
	case errors.Is(err, tpm2.TPMRCHandle): // What asks for our index has explained that already.
		return foreign("its storage key is gone", err)
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

// noDevice explains why the device could not be opened.
func noDevice(path string, err error) error {
	p := &ctap.Problem{Status: ctap.Other, Cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.What = "this machine has no TPM 2.0 that Linux knows of"
		p.Hint = "switch it on in the firmware's settings (often called fTPM or PTT); a virtual machine needs one added"
	case errors.Is(err, fs.ErrPermission):
		p.What = "no permission to use the TPM (" + path + ")"
		p.Hint = "let the daemon do it (`systemctl status localpasskey`), or join the group tss: sudo usermod -aG tss $USER, then log in again"
	case errors.Is(err, syscall.EBUSY):
		p.What = "another program has the TPM (" + path + ") to itself"
		p.Hint = "stop it, or use /dev/tpmrm0, which programs share"
	default:
		p.What = "the TPM (" + path + ") cannot be opened"
		p.Hint = "look at `journalctl -k | grep -i tpm`"
	}
	return p
}
