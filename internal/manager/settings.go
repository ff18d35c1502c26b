package manager

import (
	"context"
	"errors"
	"strings"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/demand"
	"github.com/localpasskey/localpasskey/internal/inventory"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Settings is what is demanded of the person.
type Settings struct {
	AlwaysUV       bool `json:"always_uv"`
	MinPINLength   uint `json:"min_pin_length"` // code points
	ForcePINChange bool `json:"force_pin_change"`
	// Fingers is nothing where no finger can stand for the PIN.
	Fingers *Fingers `json:"fingers,omitempty"`
}

// Fingers is for how long after a PIN a finger stands for it, in words, or "" for never,
// and why none does although one may.
type Fingers struct {
	Span    string `json:"span"`
	Trouble string `json:"trouble"`
	Hint    string `json:"hint"`
}

// ConfigureRequest changes a setting: "always-uv" and "fingerprint" to "on" or "off", or
// "min-pin-length" to a number.
type ConfigureRequest struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	PIN     []byte `json:"pin"`
}

// Done says what was done, for the person.
type Done struct {
	Done string `json:"done"`
}

func (a *API) settings(ctx context.Context, c ctap.Authenticator) (*Settings, error) {
	info, err := c.GetInfo(ctx)
	if err != nil {
		return nil, err
	}
	return &Settings{
		AlwaysUV: info.Options["alwaysUv"], MinPINLength: info.MinPINLength,
		ForcePINChange: info.ForcePINChange != nil && *info.ForcePINChange,
		Fingers:        fingersOf(finger.Ask(ctx, c)),
	}, nil
}

func fingersOf(state *finger.State) *Fingers {
	if state.Unavailable {
		return nil
	}
	f := &Fingers{}
	if state.Seconds > 0 {
		f.Span = demand.Span(state.Seconds)
	}
	if state.Problem != nil {
		f.Trouble, f.Hint = state.Problem.What, state.Problem.Hint
	}
	return f
}

func (a *API) configure(ctx context.Context, c ctap.Authenticator, req *ConfigureRequest) (*Done, error) {
	done, change, err := changeOf(ctx, c, req)
	if no, ok := errors.AsType[*demand.Refusal](err); ok {
		return nil, &ctap.Problem{What: no.What, Hint: no.Hint}
	}
	if err != nil || change == nil {
		return &Done{done}, err
	}
	token, err := permit(ctx, c, req.PIN, ctap.PermissionConfiguration, "")
	if err != nil {
		return nil, err
	}
	defer token.Wipe()
	return &Done{done}, change(token)
}

// changeOf gives what is to be done with a token, nothing where it is so already, and what
// to say then.
func changeOf(ctx context.Context, c ctap.Authenticator, req *ConfigureRequest) (done string, change func(pinuv.Token) error, err error) {
	if req.Setting == "fingerprint" {
		state := finger.Ask(ctx, c)
		seconds, done, err := demand.Fingerprint(req.Value, state)
		if err != nil || seconds == state.Seconds {
			return done, nil, err
		}
		return done, func(token pinuv.Token) error { return finger.Set(ctx, c, token, seconds) }, nil
	}
	info, err := c.GetInfo(ctx)
	if err != nil {
		return "", nil, err
	}
	var config demand.Change
	switch req.Setting {
	case "always-uv":
		config, err = demand.AlwaysUV(req.Value, info)
	case "min-pin-length":
		config, err = demand.MinPINLength(req.Value, info)
	default:
		err = errors.New("there is no such setting")
	}
	if err != nil || config.Subcommand == 0 {
		return config.Done, nil, err
	}
	return config.Done, func(token pinuv.Token) error { return ctap.Configure(ctx, c, token, config.Subcommand, config.Params) }, nil
}

// HideRequest hides passkeys, or brings them back.
type HideRequest struct {
	IDs    Pick `json:"ids"`
	Hidden bool `json:"hidden"`
}

func (a *API) hide(ctx context.Context, c ctap.Authenticator, req *HideRequest) error {
	found, err := find(ctx, c, req.IDs)
	if err != nil {
		return err
	}
	for _, p := range found {
		if _, err := ctap.Call[struct{}](ctx, c, ctap.CommandHide, ctap.HideRequest{CredentialID: p.CredentialID, Hidden: req.Hidden}); err != nil {
			return err
		}
	}
	return nil
}

// CompareRequest brings what another device has: a file of `localpasskey inventory
// export`.
type CompareRequest struct {
	List string `json:"list"`
}

// Compared tells which accounts have a passkey here only, by the passkeys' IDs, and which
// there only.
type Compared struct {
	Device   string    `json:"device"`
	Exported int64     `json:"exported"` // Unix seconds
	Here     Pick      `json:"here"`
	There    []Account `json:"there"`
}

// Account is one at a service.
type Account struct {
	Service  string `json:"service"`
	UserName string `json:"user_name"`
}

func (a *API) compare(ctx context.Context, c ctap.Authenticator, req *CompareRequest) (*Compared, error) {
	other, err := inventory.Decode(strings.NewReader(req.List))
	if err != nil {
		return nil, &ctap.Problem{What: "the file cannot be read: " + err.Error(), Hint: "`localpasskey inventory export` writes such files, on the other device"}
	}
	all, err := ctap.ReadPasskeys(ctx, c)
	if err != nil {
		return nil, err
	}
	compared := &Compared{
		Device: prompt.Legible(other.Device, maxName), Exported: other.Exported.Unix(), Here: Pick{}, There: []Account{},
	}
	for _, p := range other.Lacks(all) {
		compared.Here = append(compared.Here, id(p))
	}
	for _, p := range inventory.Compare(other, inventory.Of("", all, other.Exported)).OnlyA {
		compared.There = append(compared.There, Account{prompt.Service(p.Service), prompt.Legible(p.UserName, maxName)})
	}
	return compared, nil
}
