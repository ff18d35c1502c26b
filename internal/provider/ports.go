package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Keys are the private keys, named by credential id, each demanding a finger.
type Keys interface {
	Create(ctx context.Context, id []byte) (cose.Key, error)
	// Sign has the person put a finger on the sensor, for reason, and signs a SHA-256
	// digest with the key of id if its public key is the one given. A key that is
	// not there is ctap.NoCredentials.
	Sign(ctx context.Context, id []byte, public cose.Key, digest [32]byte, reason string) ([]byte, error)
	// Delete deletes a key. What is not there is no error.
	Delete(ctx context.Context, id []byte) error
	IDs(ctx context.Context) ([][]byte, error)
}

// Entries keep a value for each credential id, durably.
type Entries interface {
	All(ctx context.Context) (map[string][]byte, error) // by credential id
	Put(ctx context.Context, id, value []byte) error
	// Delete deletes a value. What is not there is no error.
	Delete(ctx context.Context, id []byte) error
	// Lock keeps other processes and requests out until unlock is called.
	Lock(ctx context.Context) (unlock func(), err error)
}

// Identities is the system's list of what it offers.
type Identities interface {
	// Replace replaces all of it. Where the person has not turned us on there is no
	// list, and that is no error.
	Replace(ctx context.Context, all []Identity) error
}

// Screen is the view of one request.
type Screen interface {
	// Verify asks for the finger or the login password, for reason.
	Verify(ctx context.Context, reason string) error
	// Choose has the person pick one.
	Choose(ctx context.Context, title string, accounts []string) (int, error)
	// Tell shows a message until it is acknowledged.
	Tell(ctx context.Context, message string)
}

// Request takes the one answer to a request.
type Request interface {
	// CompleteRegistration returns nil once the system has taken the answer, and an
	// error only where it has got none: the request is then cancelled.
	CompleteRegistration(ctx context.Context, r Registration) error
	CompleteAssertion(ctx context.Context, a Assertion) error
	CompleteConfiguration()
	Cancel(code Code)
}

// Code is what the system is told when there is no answer.
type Code int

// From the SDK: ASExtensionErrorCode.
const (
	Failed              Code = 0
	UserCanceled        Code = 1
	InteractionRequired Code = 100
	NotFound            Code = 101
	Excluded            Code = 102
)

// Preference is a site's wish for user verification (WebAuthn L3 §5.8.6).
type Preference string

// From the specification.
const (
	Required    Preference = "required"
	Preferred   Preference = "preferred"
	Discouraged Preference = "discouraged"
)

// RegistrationRequest is what a site wants registered.
type RegistrationRequest struct {
	RPID           string
	UserName       string
	UserHandle     []byte
	ClientDataHash []byte
	Algorithms     []int64
	Excluded       [][]byte
	Verification   Preference
}

// AssertionRequest is what a site wants signed. ID is nil where the person chooses,
// among Allowed unless that is empty.
type AssertionRequest struct {
	RPID           string
	ClientDataHash []byte
	ID             []byte
	Allowed        [][]byte
}

// Registration is the answer to a RegistrationRequest.
type Registration struct {
	RPID              string
	ClientDataHash    []byte
	ID                []byte
	AttestationObject []byte
}

// Assertion is the answer to an AssertionRequest.
type Assertion struct {
	RPID           string
	ClientDataHash []byte
	ID             []byte
	UserHandle     []byte
	AuthData       []byte
	Signature      []byte
}

// Identity is a passkey that the system may offer.
type Identity struct {
	RPID       string
	UserName   string
	ID         []byte
	UserHandle []byte
}

// Operation is what a person is asked for.
type Operation string

// Ours: the operations.
const (
	OperationRegister Operation = "register"
	OperationReplace  Operation = "replace"
	OperationSignIn   Operation = "sign in"
	OperationExists   Operation = "already registered"
)

// Passkey is what there is to show of one.
type Passkey struct {
	ID       []byte
	RPID     string
	UserName string
	Created  time.Time
	// SignCount is the last number that was given.
	SignCount uint32
	Hidden    bool
	// Broken: its key is gone.
	Broken bool
}

// Provider is one person's credential provider.
type Provider struct {
	Keys       Keys
	Entries    Entries
	Identities Identities
	// Reason says, harmless to show, what a person is asked for.
	Reason func(o Operation, rpID, userName string) string
	AAGUID webauthn.AAGUID
	Log    *slog.Logger
}
