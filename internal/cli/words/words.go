// Package words has what the command line says otherwise on a Mac: there is a Secure Enclave and a
// finger where Linux has a TPM, a PIN and a daemon.
//
//	TPM()     ┐
//	Enclave() ┴─► Words ──► the commands that both have
//
// Invariant: nothing that Enclave says names what a Mac does not have (TestMacHelp, over the whole
// tree of commands). This package refuses to know which commands there are.
package words

import (
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Words are the texts of commands that are on both.
type Words struct {
	// Of the program itself, and its exit codes.
	Short, Long, Exits string
	// Of commands.
	List, Audit, AuditEvent    string
	ListGone                   string // a paragraph, or nothing
	Reset, ResetLong           string
	Config, ConfigLong         string
	AlwaysUV, AlwaysUVLong     string
	AlwaysUVOn, AlwaysUVOff    string // what it is
	TurnedOn, TurnedOff        string // what was done
	ResetDone                  string
	VerifiedBy, Bound, Unbound string // a passkey's row: its name, and what is in it
	Chip                       string // where keys are
	// PINs: there are some.
	PINs bool
	// Said puts a status into words that is not said alike everywhere.
	Said func(status ctap.Status) *exit.Error
}

// Of a PIN, for whoever reads an error and a help text.
const PINRules = "a PIN has at least 4 characters and at most 63 bytes; letters and spaces count as well as digits"
