package tpm

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
)

func damagedLedger(cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "the record of the TPM's keys is damaged",
		Hint:   "it was left as it is; put the store's file back from where it was copied, or: " + problem.StartAfresh,
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
