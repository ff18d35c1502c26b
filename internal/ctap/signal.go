package ctap

// Ours: the socket's commands for passkeys that their relying party knows no more.
// Nothing is deleted by them, and what one hides the other brings back.
const (
	CommandSignal Command = 0x55
	CommandHide   Command = 0x56
)

// Signal is a method of the Signal API (WebAuthn Level 3 §5.1.10): what a relying party
// says of its passkeys.
type Signal string

// From the specification, without "signal": §5.1.10.1–3.
const (
	SignalUnknownCredential      Signal = "unknownCredential"
	SignalAllAcceptedCredentials Signal = "allAcceptedCredentials"
	SignalCurrentUserDetails     Signal = "currentUserDetails"
)

// SignalRequest passes on what a relying party says. Its client has checked that the
// page may speak for RPID. A member that the signal does not have must be absent.
type SignalRequest struct {
	Signal Signal `cbor:"1,keyasint"`
	RPID   string `cbor:"2,keyasint"`
	// CredentialID is unknownCredential's: the relying party does not know it.
	CredentialID []byte `cbor:"3,keyasint,omitempty"`
	// UserID is the user handle, 1–64 bytes, of the other two.
	UserID []byte `cbor:"4,keyasint,omitempty"`
	// Accepted is allAcceptedCredentials': of the user's passkeys these are good, and no
	// others.
	Accepted [][]byte `cbor:"5,keyasint,omitempty"`
	// Name and DisplayName are currentUserDetails': what the user is called now.
	Name        string `cbor:"6,keyasint,omitempty"`
	DisplayName string `cbor:"7,keyasint,omitempty"`
}

// SignalResponse tells how many passkeys it has changed, for the local log: a page must
// not learn it.
type SignalResponse struct {
	Hidden   uint `cbor:"1,keyasint,omitempty"`
	Restored uint `cbor:"2,keyasint,omitempty"`
	Renamed  uint `cbor:"3,keyasint,omitempty"`
}

// HideRequest hides a passkey, or brings it back. It is the person's own word.
type HideRequest struct {
	CredentialID []byte `cbor:"1,keyasint"`
	Hidden       bool   `cbor:"2,keyasint,omitempty"`
}

// Check holds a request to the members that its signal has.
func (r *SignalRequest) Check() error {
	ofUser, names := len(r.UserID) > 0, r.Name != "" || r.DisplayName != ""
	var ok bool
	switch r.Signal {
	case SignalUnknownCredential:
		ok = len(r.CredentialID) > 0 && !ofUser && r.Accepted == nil && !names
	case SignalAllAcceptedCredentials:
		ok = ofUser && r.CredentialID == nil && !names
	case SignalCurrentUserDetails:
		ok = ofUser && r.CredentialID == nil && r.Accepted == nil
	}
	if !ok || r.RPID == "" || len(r.UserID) > maxUserHandleBytes {
		return InvalidParameter
	}
	return nil
}
