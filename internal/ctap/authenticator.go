package ctap

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// Authenticator is one channel to an authenticator: the one interface behind
// every door. Its methods are the commands of CTAP 2.3 §6. Errors that are, or
// wrap, a Status keep it on the wire; see StatusOf.
//
// A channel's calls come one after another; GetNextAssertion and the
// enumerating sub-commands answer from what the call before them left behind.
type Authenticator interface {
	MakeCredential(ctx context.Context, req *MakeCredentialRequest) (*MakeCredentialResponse, error)
	GetAssertion(ctx context.Context, req *GetAssertionRequest) (*GetAssertionResponse, error)
	GetNextAssertion(ctx context.Context) (*GetAssertionResponse, error)
	GetInfo(ctx context.Context) (*GetInfoResponse, error)
	ClientPIN(ctx context.Context, req *ClientPINRequest) (*ClientPINResponse, error)
	Reset(ctx context.Context) error
	CredentialManagement(ctx context.Context, req *CredentialManagementRequest) (*CredentialManagementResponse, error)
	Selection(ctx context.Context) error
	LargeBlobs(ctx context.Context, req *LargeBlobsRequest) (*LargeBlobsResponse, error)
	Config(ctx context.Context, req *ConfigRequest) error

	// Vendor carries our own commands (vendor.go), offered on the socket only.
	// params and the result are one canonical CBOR item each, or empty. Every
	// other door answers InvalidCommand.
	Vendor(ctx context.Context, command Command, params cbor.Raw) (cbor.Raw, error)
}

// Messenger is an Authenticator that may speak U2F as well (CTAP 2.3 §7).
type Messenger interface {
	// U2F tells, at once, whether U2F is spoken now.
	U2F() bool
	// Message answers a raw U2F request, its status word included. The error for one
	// that comes while U2F is not spoken is InvalidCommand.
	Message(ctx context.Context, request []byte) ([]byte, error)
}

// Command is the first byte of a CTAP2 request (CTAP 2.3 §8.1).
type Command byte

// From the specification: §8.1.
const (
	CommandMakeCredential       Command = 0x01
	CommandGetAssertion         Command = 0x02
	CommandGetInfo              Command = 0x04
	CommandClientPIN            Command = 0x06
	CommandReset                Command = 0x07
	CommandGetNextAssertion     Command = 0x08
	CommandCredentialManagement Command = 0x0A
	CommandSelection            Command = 0x0B
	CommandLargeBlobs           Command = 0x0C
	CommandConfig               Command = 0x0D
)

// CommandCredentialManagementPrototype is credential management as CTAP 2.1's
// prototype had it, with the same messages. libfido2 before 1.15 sends no other.
const CommandCredentialManagementPrototype Command = 0x41

// Caller is who asks, as far as the door can tell. It travels in the context.
type Caller struct {
	// UID owns the connection or the device; it decides whose store is used.
	UID int
	// PID is the asking process, 0 when the door cannot know it (HID).
	PID int
	// Programs is the asking process and its parents, nearest first. A hint for
	// prompts and the audit trail, never a decision: programs can lie.
	Programs []string
	// Node is the device node the request came through, "" for other doors. Whoever
	// may look into the person's processes finds out which of them have it open.
	Node string
	// Door is how the request came in.
	Door      Door
	Page, Top string // origins of the web page that asks, and of another one around it
}

// Door is one way in.
type Door string

// Ours: the doors.
const (
	DoorSocket Door = "socket"
	DoorHID    Door = "usb"
)

type callerKey struct{}

// WithCaller notes in ctx who asks.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom tells who asks; ok is false when no door has said so.
func CallerFrom(ctx context.Context) (c Caller, ok bool) {
	c, ok = ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Progress is what a pending request waits for; its values are CTAPHID's
// keep-alive status codes (CTAP 2.3 §11.2.9.1.7).
type Progress byte

// From the specification: §11.2.9.1.7.
const (
	ProgressProcessing Progress = 1
	ProgressUserNeeded Progress = 2
)

type progressKey struct{}

// WithProgress has report called whenever a request under ctx begins or ends to
// wait for the person. report must not block.
func WithProgress(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

// Report tells the door what the request is waiting for, if it wants to know.
func Report(ctx context.Context, p Progress) {
	if report, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		report(p)
	}
}
