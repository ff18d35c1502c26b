package ctap

import "crypto/sha256"

// Limits of what is stored. User handles: WebAuthn L3 §5.4.3. RP IDs are domain
// names; ssh's "ssh:" strings fit.
const (
	clientDataHashBytes = sha256.Size
	maxUserHandleBytes  = 64

	// MaxRPIDBytes is the longest RP ID.
	MaxRPIDBytes = 253
)

// Check tells what is missing, or of a wrong length (§6.1).
func (r *MakeCredentialRequest) Check() error {
	switch {
	case r.ClientDataHash == nil, r.RP == nil, r.User == nil, r.Parameters == nil:
		return MissingParameter
	case r.RP.ID == "", r.User.ID == nil:
		return MissingParameter
	case len(r.ClientDataHash) != clientDataHashBytes,
		len(r.User.ID) == 0, len(r.User.ID) > maxUserHandleBytes,
		len(r.RP.ID) > MaxRPIDBytes:
		return InvalidLength
	}
	return nil
}

// Check tells what is missing, or of a wrong length (§6.2).
func (r *GetAssertionRequest) Check() error {
	switch {
	case r.RPID == "", r.ClientDataHash == nil:
		return MissingParameter
	case len(r.ClientDataHash) != clientDataHashBytes, len(r.RPID) > MaxRPIDBytes:
		return InvalidLength
	}
	return nil
}
