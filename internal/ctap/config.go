package ctap

import (
	"bytes"
	"context"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// ConfigSubcommand selects what authenticatorConfig does (CTAP 2.3 §6.11).
type ConfigSubcommand byte

// From the specification: §6.11.
const (
	EnableEnterpriseAttestation ConfigSubcommand = 0x01
	ToggleAlwaysUV              ConfigSubcommand = 0x02
	SetMinPINLength             ConfigSubcommand = 0x03
)

// ConfigRequest is authenticatorConfig (CTAP 2.3 §6.11). Params stays raw because
// PINUVAuthParam is computed over its bytes.
type ConfigRequest struct {
	Subcommand        ConfigSubcommand `cbor:"1,keyasint,omitempty"`
	Params            cbor.Raw         `cbor:"2,keyasint,omitempty"`
	PINUVAuthProtocol pinuv.Protocol   `cbor:"3,keyasint,omitempty"`
	PINUVAuthParam    []byte           `cbor:"4,keyasint,omitempty"`
}

// MinPINLengthParams are the subCommandParams of setMinPINLength (§6.11.4); nil is
// absent. The length is in Unicode code points.
type MinPINLengthParams struct {
	NewMinPINLength *uint    `cbor:"1,keyasint,omitempty"`
	RPIDs           []string `cbor:"2,keyasint,omitempty"`
	ForceChangePIN  *bool    `cbor:"3,keyasint,omitempty"`
}

// Message is what PINUVAuthParam authenticates (§6.11).
func (r *ConfigRequest) Message() []byte {
	message := bytes.Repeat([]byte{0xFF}, 32)
	return append(append(message, byte(CommandConfig), byte(r.Subcommand)), r.Params...)
}

// Configure makes an authenticatorConfig request of sub-command and params (nil for
// none), authenticated by token.
func Configure(ctx context.Context, a Authenticator, token pinuv.Token, sub ConfigSubcommand, params *MinPINLengthParams) error {
	req := &ConfigRequest{Subcommand: sub, PINUVAuthProtocol: token.Protocol()}
	if params != nil {
		raw, err := cbor.Marshal(params)
		if err != nil {
			return err
		}
		req.Params = raw
	}
	req.PINUVAuthParam = token.Authenticate(req.Message())
	return a.Config(ctx, req)
}
