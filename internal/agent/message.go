package agent

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// request is what the daemon sends: a question or, after a response with a PIN in it,
// what became of that PIN.
type request struct {
	Question *question `cbor:"1,keyasint,omitempty"`
	Verdict  *verdict  `cbor:"2,keyasint,omitempty"`
}

// question is an authenticator.Ask.
type question struct {
	Operation   string            `cbor:"1,keyasint"`
	RP          ctap.RelyingParty `cbor:"2,keyasint"`
	Accounts    []ctap.User       `cbor:"3,keyasint,omitempty"`
	Permissions uint              `cbor:"4,keyasint,omitempty"`
	Replaces    bool              `cbor:"5,keyasint,omitempty"`
	Lost        uint              `cbor:"6,keyasint,omitempty"`
	Losses      []string          `cbor:"7,keyasint,omitempty"`
	Verify      bool              `cbor:"8,keyasint,omitempty"`
	Retries     uint              `cbor:"9,keyasint,omitempty"`
	// Who asks.
	Programs []string `cbor:"10,keyasint,omitempty"`
	Node     string   `cbor:"11,keyasint,omitempty"`
	Page     string   `cbor:"12,keyasint,omitempty"`
	Top      string   `cbor:"13,keyasint,omitempty"`
	// Finger: the daemon waits for one too.
	Finger bool `cbor:"20,keyasint,omitempty"`
}

// verdict is what the hardware said of a PIN. Status is OK for the right one,
// PIN_INVALID for a wrong one that may be followed by another, anything else for the
// end of the question.
type verdict struct {
	Status  byte `cbor:"1,keyasint"`
	Retries uint `cbor:"2,keyasint,omitempty"`
}

// response is what the agent answers: a PIN that was typed, or how the question ended.
type response struct {
	Status  byte   `cbor:"1,keyasint"`
	Account uint   `cbor:"2,keyasint,omitempty"`
	PIN     []byte `cbor:"3,keyasint,omitempty"`
}

var errMessage = errors.New("the other side of the agent's protocol sent what it never does")

func ask(a authenticator.Ask) *question {
	return &question{
		Operation: string(a.Operation), RP: a.RP, Accounts: a.Accounts, Permissions: uint(a.Permissions),
		Replaces: a.Replaces, Lost: uint(max(0, a.Lost)), Losses: a.Losses, Verify: a.Verify != nil,
		Retries: uint(max(0, a.Retries)), Programs: a.Caller.Programs, Node: a.Caller.Node,
		Page: a.Caller.Page, Top: a.Caller.Top, Finger: a.ByFinger != nil,
	}
}

// ask is the question as a User takes it; verify is for one that wants a PIN.
func (q *question) ask(verify verifier) authenticator.Ask {
	a := authenticator.Ask{
		Operation: authenticator.Operation(q.Operation), RP: q.RP, Accounts: q.Accounts,
		Permissions: ctap.Permission(q.Permissions), Replaces: q.Replaces,
		Lost: toInt(q.Lost), Losses: q.Losses, Retries: toInt(q.Retries),
		Caller: ctap.Caller{Programs: q.Programs, Node: q.Node, Page: q.Page, Top: q.Top},
	}
	if q.Verify {
		a.Verify = verify
	}
	if q.Finger {
		a.ByFinger = func(context.Context) error { return ctap.NotAllowed } // no finger is an agent's to see
	}
	return a
}

// toInt keeps a number of the other side's from changing its sign.
func toInt(n uint) int { return int(min(n, 1<<30)) }

// judge is the verdict that err stands for.
func judge(err error) *verdict {
	wrong, ok := errors.AsType[*authenticator.WrongPIN](err)
	if ok && wrong.Retries > 0 {
		return &verdict{Status: byte(ctap.PINInvalid), Retries: uint(wrong.Retries)}
	}
	if err == nil {
		return &verdict{Status: byte(ctap.StatusOK)}
	}
	return &verdict{Status: byte(ctap.StatusOf(err))}
}

// err is the verdict as Verify gives it.
func (v *verdict) err() error {
	switch status := ctap.Status(v.Status); {
	case status == ctap.StatusOK:
		return nil
	case status == ctap.PINInvalid && v.Retries > 0:
		return &authenticator.WrongPIN{Retries: toInt(v.Retries)}
	default:
		return status
	}
}

// encode is for messages that always have a canonical form.
func encode(message any) []byte {
	b, err := cbor.Marshal(message)
	if err != nil {
		return nil // which the other end refuses
	}
	return b
}

func decodeRequest(b []byte) (*request, error) {
	r := new(request)
	if err := cbor.Unmarshal(b, r); err != nil {
		return nil, err
	}
	if (r.Question == nil) == (r.Verdict == nil) {
		return nil, errMessage
	}
	return r, nil
}

// decodeResponse takes b apart and wipes it: it may hold a PIN.
func decodeResponse(b []byte) (*response, error) {
	defer clear(b)
	r := new(response)
	if err := cbor.Unmarshal(b, r); err != nil {
		clear(r.PIN)
		return nil, err
	}
	return r, nil
}
