package ctap

import (
	"context"
	"fmt"
)

// Ours: commands of the socket for what CTAP has no word for. They need no PIN
// and speak only of the caller's own store. The range 0x50–0xBF is outside the
// vendor codes that prototypes of CTAP 2.1 claimed (0x40, 0x41).
const (
	CommandList      Command = 0x50
	CommandStatus    Command = 0x51
	CommandSetup     Command = 0x52
	CommandReconnect Command = 0x53
)

// firstVendor and lastVendor bound the codes Serve hands to Vendor.
const (
	firstVendor Command = 0x50
	lastVendor  Command = 0xBF
)

// ListRequest asks for a page of the caller's passkeys, oldest first: from Cursor on,
// which the page before gave, or from the beginning. Offset skips that many more, and
// costs as much as listing them. With an RPID it is all of that relying party's, newest
// first, on one page.
type ListRequest struct {
	Offset uint   `cbor:"1,keyasint,omitempty"`
	Limit  uint   `cbor:"2,keyasint,omitempty"`
	Cursor uint64 `cbor:"3,keyasint,omitempty"`
	RPID   string `cbor:"4,keyasint,omitempty"`
}

// ListResponse is a page; Total counts all passkeys of the store. Next is the cursor
// of the next page, 0 where this is the last.
type ListResponse struct {
	Total    uint      `cbor:"1,keyasint"`
	Passkeys []Passkey `cbor:"2,keyasint,omitempty"`
	Next     uint64    `cbor:"3,keyasint,omitempty"`
}

// Passkey is what listings show of one credential. Created and LastUsed are Unix
// seconds; LastUsed is 0 for never.
type Passkey struct {
	CredentialID []byte `cbor:"1,keyasint"`
	RPID         string `cbor:"2,keyasint"`
	RPName       string `cbor:"3,keyasint,omitempty"`
	User         User   `cbor:"4,keyasint"`
	Created      int64  `cbor:"5,keyasint"`
	LastUsed     int64  `cbor:"6,keyasint,omitempty"`
	Uses         uint64 `cbor:"7,keyasint,omitempty"`
	SignCount    uint32 `cbor:"8,keyasint,omitempty"`
	Discoverable bool   `cbor:"9,keyasint,omitempty"`
	CredProtect  uint   `cbor:"10,keyasint,omitempty"`
	// PINBound: the hardware itself refuses to sign without the PIN. Otherwise
	// only this program's word stands between presence and a signature.
	PINBound       bool     `cbor:"11,keyasint,omitempty"`
	HMACSecret     bool     `cbor:"12,keyasint,omitempty"`
	Algorithm      int64    `cbor:"13,keyasint"`
	AAGUID         [16]byte `cbor:"14,keyasint"`
	BackupEligible bool     `cbor:"15,keyasint,omitempty"`
	BackedUp       bool     `cbor:"16,keyasint,omitempty"`
	// BlobBytes is how long the credBlob is that the service has put there.
	BlobBytes         uint `cbor:"17,keyasint,omitempty"`
	ThirdPartyPayment bool `cbor:"18,keyasint,omitempty"`
	// Hidden: the service has said that it does not know it any more, or the person has
	// hidden it. It is not offered where a service asks for no particular passkey.
	Hidden bool `cbor:"19,keyasint,omitempty"`
	// LargeBlobKey tells whether there is one, for large blobs of the service's.
	LargeBlobKey bool `cbor:"20,keyasint,omitempty"`
}

// ReadPasskeys fetches the whole list, page by page.
func ReadPasskeys(ctx context.Context, a Authenticator) ([]Passkey, error) {
	var all []Passkey
	for cursor := uint64(0); ; {
		page, err := Call[ListResponse](ctx, a, CommandList, ListRequest{Cursor: cursor})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Passkeys...)
		if page.Next <= cursor { // 0, or not ours
			return all, nil
		}
		cursor = page.Next
	}
}

// StatusResponse is the state of the caller's authenticator.
type StatusResponse struct {
	Version    string `cbor:"1,keyasint"`
	SetUp      bool   `cbor:"2,keyasint"`
	PINSet     bool   `cbor:"3,keyasint,omitempty"`
	PINRetries uint   `cbor:"4,keyasint,omitempty"`
	Passkeys   uint   `cbor:"5,keyasint,omitempty"`
	AlwaysUV   bool   `cbor:"6,keyasint,omitempty"`
	Hardware   string `cbor:"7,keyasint,omitempty"` // maker and firmware, for people
	// Problem is why the authenticator cannot work now, if it cannot.
	Problem  *Problem `cbor:"8,keyasint,omitempty"`
	Reinsert bool     `cbor:"9,keyasint,omitempty"`  // three wrong PINs in a row; `reconnect` gives the rest back
	Prompt   Prompt   `cbor:"10,keyasint,omitempty"` // where the person is asked
	// Node is the device that programs find as a security key; where it is empty,
	// NodeProblem may say why.
	Node        string   `cbor:"11,keyasint,omitempty"`
	NodeProblem *Problem `cbor:"12,keyasint,omitempty"`
	// LockTold: the desktop in front of the caller has told the system of a locked screen; nil: not known.
	LockTold *bool `cbor:"13,keyasint,omitempty"`
}

// Prompt is a way to ask the person.
type Prompt string

// Ours: the ways to ask. With none, what needs a yes is refused.
const (
	PromptNone     Prompt = ""
	PromptAgent    Prompt = "agent"    // of the person's session
	PromptTerminal Prompt = "terminal" // the daemon's own
	PromptTouchID  Prompt = "touch-id" // a finger stands for the PIN
)

// Problem is an error for a person: what happened, then what to do. It answers
// a vendor command in full; every other command sends its Status alone.
type Problem struct {
	What   string `cbor:"1,keyasint"`
	Hint   string `cbor:"2,keyasint,omitempty"`
	Status Status `cbor:"-"`
	Cause  error  `cbor:"-"` // for the local log; never sent
}

// Error says what happened, without the hint.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return fmt.Sprintf("%s: %v", p.What, p.Cause)
	}
	return p.What
}

// Unwrap gives the cause and, when one was set, the status.
func (p *Problem) Unwrap() []error {
	var errs []error
	if p.Status != StatusOK {
		errs = append(errs, p.Status)
	}
	if p.Cause != nil {
		errs = append(errs, p.Cause)
	}
	return errs
}
