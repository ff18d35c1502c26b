package manager

import (
	"context"
	"errors"
	"strings"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demand"
	"github.com/localpasskey/localpasskey/internal/inventory"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Settings is what is demanded of the person.
type Settings struct {
	AlwaysUV       bool `json:"always_uv"`
	MinPINLength   uint `json:"min_pin_length"` // code points
	ForcePINChange bool `json:"force_pin_change"`
}

// ConfigureRequest changes a setting: "always-uv" to "on" or "off", or "min-pin-length"
// to a number.
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
	}, nil
}

func (a *API) configure(ctx context.Context, c ctap.Authenticator, req *ConfigureRequest) (*Done, error) {
	info, err := c.GetInfo(ctx)
	if err != nil {
		return nil, err
	}
	var change demand.Change
	switch req.Setting {
	case "always-uv":
		change, err = demand.AlwaysUV(req.Value, info)
	case "min-pin-length":
		change, err = demand.MinPINLength(req.Value, info)
	default:
		err = errors.New("there is no such setting")
	}
	if no, ok := errors.AsType[*demand.Refusal](err); ok {
		return nil, &ctap.Problem{What: no.What, Hint: no.Hint}
	}
	if err != nil || change.Subcommand == 0 {
		return &Done{change.Done}, err
	}
	token, err := permit(ctx, c, req.PIN, ctap.PermissionConfiguration, "")
	if err != nil {
		return nil, err
	}
	defer token.Wipe()
	return &Done{change.Done}, ctap.Configure(ctx, c, token, change.Subcommand, change.Params)
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
