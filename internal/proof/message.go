package proof

import "github.com/localpasskey/localpasskey/internal/ctap"

// Command has a daemon prove where a passkey's key is. It is one of the socket's own
// commands, like those of package ctap.
const Command ctap.Command = 0x60

// Audit is what the audit trail calls a claim or an answer; its detail tells which.
const Audit ctap.AuditEvent = "proved"

// Request asks for a claim about a passkey, or, with a challenge, for the answer to it.
// One of the two is set. Documents go through the socket as they are in files.
type Request struct {
	CredentialID []byte `cbor:"1,keyasint,omitempty"`
	Challenge    []byte `cbor:"2,keyasint,omitempty"`
}

// Response is the claim or the answer.
type Response struct {
	Document []byte `cbor:"1,keyasint"`
}
