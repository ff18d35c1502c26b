package nativemsg

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/localpasskey/localpasskey/internal/client"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Host answers the extension's questions.
type Host struct {
	Version string
	// Dial opens a channel to the authenticator, one for each question.
	Dial func(ctx context.Context) (ctap.Authenticator, func() error, error)
	// Manage opens the manager, for the person to see.
	Manage func(ctx context.Context) error
	Log    *slog.Logger
}

// status tells the extension's pages how things are.
type status struct {
	Version    string `json:"version"`
	SetUp      bool   `json:"setUp"`
	PINSet     bool   `json:"pinSet"`
	PINRetries uint   `json:"pinRetries"`
	Passkeys   uint   `json:"passkeys"`
	Hardware   string `json:"hardware,omitempty"`
	// Ready: a page's request would be served.
	Ready   bool   `json:"ready"`
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// answer answers one question; asking is called when the person may be asked.
func (h *Host) answer(ctx context.Context, q *question, asking func()) answer {
	if q.Op == "manage" {
		return h.manage(ctx)
	}
	a, hangUp, err := h.Dial(ctx)
	if err != nil {
		return h.unreachable(ctx, q, err)
	}
	defer func() { _ = hangUp() }()
	c := &client.Client{Authenticator: a, Asking: asking}
	result, err := h.do(ctx, c, q)
	exception, ours := errors.AsType[*client.Exception](err)
	switch {
	case err == nil:
		return answer{Result: result}
	case ours:
		return answer{Error: exception}
	default:
		if cause := err.Error(); ctx.Err() == nil && cause != client.ErrBrowser.Error() {
			h.Log.WarnContext(ctx, "left to the browser", "op", q.Op, "cause", err)
		}
		return answer{Browser: true}
	}
}

func (h *Host) do(ctx context.Context, c *client.Client, q *question) (result any, err error) {
	page := client.Page{Origin: q.Origin, TopOrigin: q.TopOrigin, CrossOrigin: q.CrossOrigin, Activated: q.Activated}
	switch q.Op {
	case "status":
		return h.status(ctx, c.Authenticator)
	case "count":
		count, err := c.Count(ctx, q.Origin)
		return struct {
			Passkeys uint `json:"passkeys"`
		}{count}, err
	case "create":
		return with(q, func(o *client.CreationOptions) (*client.Credential, error) { return c.Create(ctx, page, o) })
	case "get":
		return with(q, func(o *client.RequestOptions) (*client.Credential, error) { return c.Get(ctx, page, o) })
	default:
		kind, ok := signals()[q.Op]
		if !ok {
			return nil, client.ErrBrowser
		}
		return with(q, func(o *client.SignalOptions) (struct{}, error) { return struct{}{}, c.Signal(ctx, page, kind, o) })
	}
}

// with reads the options. What cannot be read is the browser's to judge.
func with[O, R any](q *question, do func(*O) (R, error)) (any, error) {
	o := new(O)
	if err := client.Decode(q.Options, o); err != nil {
		return nil, errors.Join(client.ErrBrowser, err)
	}
	return do(o)
}

// signals are the methods of the Signal API.
func signals() map[string]ctap.Signal {
	return map[string]ctap.Signal{
		"signalUnknownCredential":      ctap.SignalUnknownCredential,
		"signalAllAcceptedCredentials": ctap.SignalAllAcceptedCredentials,
		"signalCurrentUserDetails":     ctap.SignalCurrentUserDetails,
	}
}

func (h *Host) status(ctx context.Context, a ctap.Authenticator) (*status, error) {
	found, err := ctap.Call[ctap.StatusResponse](ctx, a, ctap.CommandStatus, nil)
	if err != nil {
		return nil, err
	}
	s := &status{
		Version: h.Version, SetUp: found.SetUp, PINSet: found.PINSet, PINRetries: found.PINRetries,
		Passkeys: found.Passkeys, Hardware: found.Hardware,
	}
	s.Problem, s.Hint = trouble(found)
	s.Ready = s.Problem == ""
	return s, nil
}

// trouble is why requests of pages would not be served, for a person.
func trouble(s *ctap.StatusResponse) (what, hint string) {
	switch {
	case s.Problem != nil:
		return s.Problem.What, s.Problem.Hint
	case !s.SetUp:
		return "LocalPasskey is not set up.", "In a terminal, run: localpasskey setup"
	case !s.PINSet:
		return "There is no PIN yet.", "In a terminal, run: localpasskey pin set"
	case s.PINRetries == 0:
		return "The PIN is locked: its passkeys cannot be used any more.", "localpasskey reset begins anew; it says first what is lost."
	case s.Reinsert:
		return "Three PINs in a row were wrong.", "In a terminal, run: localpasskey reconnect"
	case s.Prompt == ctap.PromptNone:
		return "There is nobody to ask you.", "In a terminal of your desktop, run: localpasskey agent"
	}
	return "", ""
}

// unreachable answers without an authenticator: a page's requests are the browser's, and
// the extension's pages say what is wrong.
func (h *Host) unreachable(ctx context.Context, q *question, err error) answer {
	h.Log.WarnContext(ctx, "no authenticator", "op", q.Op, "cause", err)
	if q.Op != "status" {
		return answer{Browser: true}
	}
	s := &status{Version: h.Version, Problem: "LocalPasskey does not run.", Hint: "In a terminal, run: localpasskey status"}
	if problem, ok := errors.AsType[*ctap.Problem](err); ok {
		s.Problem, s.Hint = problem.What, problem.Hint
	}
	return answer{Result: s}
}

func (h *Host) manage(ctx context.Context) answer {
	if err := h.Manage(ctx); err != nil {
		return answer{Error: &client.Exception{Name: "OperationError", Message: err.Error()}}
	}
	return answer{Result: json.RawMessage(`{}`)}
}
