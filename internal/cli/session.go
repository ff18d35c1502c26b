package cli

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// session is one command's conversation with the daemon.
type session struct {
	*ctap.Client

	status *ctap.StatusResponse
}

// within connects, asks the daemon how it is, and acts. Where the daemon cannot
// work it says why instead.
func (r *run) within(ctx context.Context, act func(s *session) error) error {
	return r.connected(ctx, func(s *session) error {
		if err := r.works(ctx, s, false); err != nil {
			return err
		}
		return act(s)
	})
}

func notSetUp() error {
	return &failure{what: "LocalPasskey is not set up", hint: "run `localpasskey setup`", code: codeUnavailable}
}

// connected is within for commands that can do with a daemon in any state.
func (r *run) connected(ctx context.Context, act func(s *session) error) (err error) {
	path, err := r.sockets.Client()
	if err != nil {
		return err
	}
	conn, err := socket.Dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // All that was asked has been answered.
	s := &session{Client: ctap.NewClient(conn)}
	conn.OnProgress = func(p ctap.Progress) {
		if p == ctap.ProgressUserNeeded {
			r.note("%s", whereAsked(s.status))
		}
	}
	if s.status, err = ctap.Call[ctap.StatusResponse](ctx, s.Client, ctap.CommandStatus, nil); err != nil {
		return err
	}
	return act(s)
}

// gone asks what passkeys are gone from the TPM; nil for none. Only a daemon that cannot work
// has any.
func (s *session) gone(ctx context.Context) *notice.Notice {
	if s.status.Problem == nil {
		return nil
	}
	return notice.Lost(ctx, s.Client)
}

// whereAsked tells the person where to look.
func whereAsked(status *ctap.StatusResponse) string {
	switch {
	case status != nil && status.Prompt == ctap.PromptAgent:
		return "Your agent asks you now: look for its dialog…"
	case status != nil && status.Prompt == ctap.PromptNone:
		return "There is nobody to ask you: run `localpasskey agent` in your session, and try again…"
	}
	if status != nil && status.Prompt == ctap.PromptTouchID {
		return "Touch ID asks you now…"
	}
	return "The daemon asks you, in the terminal where `localpasskey daemon` runs…"
}

// platform is this program's side of the PIN protocol.
func (s *session) platform() ctap.Platform {
	return ctap.Platform{Authenticator: s.Client, Protocol: pinuv.Two}
}

// retries asks how many PIN attempts are left, and whether they need a reconnect.
func (s *session) retries(ctx context.Context) (left uint, reconnect bool, err error) {
	response, err := s.ClientPIN(ctx, &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	if err != nil {
		return 0, false, err
	}
	if response.PINRetries == nil {
		return 0, false, ctap.MissingParameter
	}
	return *response.PINRetries, response.PowerCycleState != nil && *response.PowerCycleState, nil
}
