package daemon

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/page"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/tpm/health"
)

// channel is one channel of one door. Its calls come one after another.
type channel struct {
	d      *Daemon
	caller ctap.Caller
	opened *opened            // nil until there is a core
	core   ctap.Authenticator // the core's own channel
}

// Account is the user's own: strangers are answered, but in no other's place.
func (d *Daemon) Account(uid int) int { return uid }

// Channel opens a channel for caller, one for each connection or device channel. On the
// socket a browser's program may say for which page it asks.
func (d *Daemon) Channel(caller ctap.Caller) ctap.Authenticator {
	ch := &channel{d: d, caller: caller}
	if caller.Door == ctap.DoorSocket {
		return page.Listen(ch)
	}
	return ch
}

// admitted tells whether the caller may speak with this daemon at all. root may:
// it could read the store and open the TPM without us.
func (ch *channel) admitted() bool {
	return ch.caller.UID == ch.d.owner || ch.caller.UID == 0
}

// reach gives the core's channel, opening the store first where that is needed.
func (ch *channel) reach(ctx context.Context) (ctap.Authenticator, error) {
	if !ch.admitted() {
		return nil, ctap.NotAllowed
	}
	if ch.opened != nil && !ch.opened.over.Load() {
		return ch.core, nil
	}
	o, err := ch.d.open(ctx)
	if err != nil {
		return nil, err
	}
	ch.opened, ch.core = o, o.core.Channel(ch.caller.Door)
	return ch.core, nil
}

// noted is plain for commands that may leave an entry in the audit trail, which then
// names programs. The others spare themselves the look at every process.
func (ch *channel) noted(ctx context.Context) (ctap.Authenticator, error) {
	if ch.caller.Node != "" {
		ch.d.hints.look(ch.caller.Node)
	}
	return ch.plain(ctx)
}

// plain is reach for CTAP commands, which have no words for what is wrong.
func (ch *channel) plain(ctx context.Context) (ctap.Authenticator, error) {
	core, err := ch.reach(ctx)
	switch {
	case err == nil, errors.Is(err, ctap.NotAllowed), ctx.Err() != nil:
		return core, err
	}
	ch.d.Log.ErrorContext(ctx, "cannot work now", "cause", err)
	return nil, ctap.Other
}

// Vendor answers what is about the authenticator as a whole, and passes the rest on.
func (ch *channel) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	if ch.caller.Door != ctap.DoorSocket {
		return nil, ctap.InvalidCommand
	}
	if !ch.admitted() {
		return nil, ctap.NotAllowed
	}
	switch command {
	case ctap.CommandStatus:
		return cbor.Marshal(ch.d.status(ctx))
	case chip.Command:
		report, err := health.Look(ctx, ch.d.OpenTPM)
		if err != nil {
			return nil, err
		}
		return cbor.Marshal(report)
	case ctap.CommandSetup:
		return nil, ch.explained(ctx, ch.setUp(ctx))
	case ctap.CommandReconnect:
		return nil, ch.explained(ctx, ch.reconnect(ctx))
	case proof.Command:
		return ch.prove(ctx, params)
	case notice.Command:
		return ch.notices(ctx, params)
	case finger.Command:
		return ch.finger(ctx, params)
	default:
		core, err := ch.reach(ctx)
		if err != nil {
			return nil, ch.explained(ctx, err)
		}
		return core.Vendor(ctx, command, params)
	}
}

// explained puts a failure into words for the person.
func (ch *channel) explained(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return ch.d.problem(ctx, err)
}

// setUp makes the store, and lets programs find what is in it.
func (ch *channel) setUp(ctx context.Context) error {
	if err := ch.d.setUp(ctx); err != nil {
		return err
	}
	ch.d.slot.in() //nolint:contextcheck // It stays when this request is over.
	return nil
}

func (ch *channel) reconnect(ctx context.Context) error {
	if _, err := ch.d.open(ctx); err != nil {
		return err
	}
	return ch.d.cyclePower() //nolint:contextcheck // Half a power cycle is none.
}

// MakeCredential passes the command on.
func (ch *channel) MakeCredential(ctx context.Context, req *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	response, err := core.MakeCredential(ctx, req)
	return response, ch.failed(ctx, err)
}

// GetAssertion passes the command on.
func (ch *channel) GetAssertion(ctx context.Context, req *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	response, err := core.GetAssertion(ctx, req)
	return response, ch.failed(ctx, err)
}

// GetNextAssertion passes the command on.
func (ch *channel) GetNextAssertion(ctx context.Context) (*ctap.GetAssertionResponse, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	return core.GetNextAssertion(ctx)
}

// GetInfo passes the command on.
func (ch *channel) GetInfo(ctx context.Context) (*ctap.GetInfoResponse, error) {
	core, err := ch.plain(ctx)
	if err != nil {
		return nil, err
	}
	return core.GetInfo(ctx)
}

// ClientPIN passes the command on.
func (ch *channel) ClientPIN(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	response, err := core.ClientPIN(ctx, req)
	return response, ch.failed(ctx, err)
}

// Reset passes the command on.
func (ch *channel) Reset(ctx context.Context) error {
	core, err := ch.noted(ctx)
	if err != nil {
		return err
	}
	return core.Reset(ctx)
}

// CredentialManagement passes the command on.
func (ch *channel) CredentialManagement(ctx context.Context, req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	return core.CredentialManagement(ctx, req)
}

// LargeBlobs passes the command on.
func (ch *channel) LargeBlobs(ctx context.Context, req *ctap.LargeBlobsRequest) (*ctap.LargeBlobsResponse, error) {
	core, err := ch.plain(ctx)
	if err != nil {
		return nil, err
	}
	return core.LargeBlobs(ctx, req)
}

// U2F tells whether the core speaks it now. It does not open the store for that, nor
// wait for whoever does.
func (ch *channel) U2F() bool {
	if !ch.admitted() || !ch.d.mu.TryLock() {
		return false
	}
	o := ch.d.opened
	ch.d.mu.Unlock()
	return o != nil && o.core.Channel(ch.caller.Door).U2F()
}

// Message passes the request on.
func (ch *channel) Message(ctx context.Context, request []byte) ([]byte, error) {
	core, err := ch.noted(ctx)
	if err != nil {
		return nil, err
	}
	u2f, ok := core.(ctap.Messenger)
	if !ok {
		return nil, ctap.InvalidCommand
	}
	response, err := u2f.Message(ctx, request)
	return response, ch.failed(ctx, err)
}

// Config passes the command on.
func (ch *channel) Config(ctx context.Context, req *ctap.ConfigRequest) error {
	core, err := ch.noted(ctx)
	if err != nil {
		return err
	}
	return core.Config(ctx, req)
}

// Selection passes the command on.
func (ch *channel) Selection(ctx context.Context) error {
	core, err := ch.noted(ctx)
	if err != nil {
		return err
	}
	return core.Selection(ctx)
}
