// Package chip has the words in which a daemon tells of its TPM.
//
//	localpasskey doctor ──► socket ──► Command ──► daemon ──► TPM
//	                    ◄── Report ◄──
//
// A client may not open the TPM, so what only the TPM knows comes this way. A report
// says what there is; what follows from it is for whoever asks.
//
// It refuses to know keys, PINs and commands of the TPM.
package chip

import "github.com/localpasskey/localpasskey/internal/ctap"

// Command asks for a Report. It is of the socket's vendor commands: see ctap.
const Command ctap.Command = 0x61

// Report is what a TPM tells of itself. Problem says why it could not be asked; all else
// is then zero.
type Report struct {
	Manufacturer string `cbor:"1,keyasint,omitempty"` // the TCG's vendor id: "INTC"
	Model        string `cbor:"2,keyasint,omitempty"` // the vendor's own string
	Firmware     string `cbor:"3,keyasint,omitempty"`
	// Revision is the specification's, times 100: 138 for 1.38.
	Revision uint32 `cbor:"4,keyasint,omitempty"`
	// Missing are commands that LocalPasskey needs and the chip has not.
	Missing []string `cbor:"5,keyasint,omitempty"`
	// OwnerAuth and LockoutAuth tell whether somebody has set these passwords.
	OwnerAuth   bool `cbor:"6,keyasint,omitempty"`
	LockoutAuth bool `cbor:"7,keyasint,omitempty"`
	// InLockout: too many wrong passwords for keys of other programs.
	InLockout bool `cbor:"8,keyasint,omitempty"`
	// SelfTest is the response code of the last self test, 0 for passed.
	SelfTest uint32 `cbor:"9,keyasint,omitempty"`
	// StorageKey is the key under which ours are.
	StorageKey StorageKey `cbor:"10,keyasint,omitempty"`
	// StorageProblem says what is wrong with an unusable one.
	StorageProblem string        `cbor:"11,keyasint,omitempty"`
	Problem        *ctap.Problem `cbor:"12,keyasint,omitempty"`
}

// StorageKey is what is at the storage key's place.
type StorageKey string

// Ours: what can be there.
const (
	StorageNone     StorageKey = ""
	StorageUsable   StorageKey = "usable"
	StorageUnusable StorageKey = "unusable"
)

// Response codes of a self test that mean no fault (Part 2 §6.6.3): a chip tests some
// algorithms when they are first used.
const (
	SelfTestNeeded  uint32 = 0x153 // TPM_RC_NEEDS_TEST
	SelfTestRunning uint32 = 0x90A // TPM_RC_TESTING
)
