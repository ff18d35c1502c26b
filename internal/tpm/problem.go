package tpm

import (
	"fmt"

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
