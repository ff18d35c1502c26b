package config

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// MaxRPIDs is how many relying parties can be told the least length of a PIN
// (§6.4, maxRPIDsForSetMinPINLength). Ours.
const MaxRPIDs = 32

// Manager changes the settings of one authenticator. Its caller holds Gate's turn.
type Manager struct {
	Settings consent.SettingsStore
	Gate     *consent.Gate
	// Fingers tells whether a finger can stand for the PIN here, where the user wants that.
	Fingers bool
}

// subcommand carries out one sub-command on s, which is then written.
type subcommand func(ctx context.Context, s *consent.Settings, params cbor.Raw) error

// subcommands are those there are. Enterprise attestation is missing because there
// is no attestation key, a long touch because nobody touches anything.
func (m *Manager) subcommands() map[ctap.ConfigSubcommand]subcommand {
	return map[ctap.ConfigSubcommand]subcommand{
		ctap.ToggleAlwaysUV:  m.toggleAlwaysUV,
		ctap.SetMinPINLength: m.setMinPINLength,
	}
}

// Supported lists the sub-commands, for getInfo.
func (m *Manager) Supported() []uint {
	var all []uint
	for _, sub := range slices.Sorted(maps.Keys(m.subcommands())) {
		all = append(all, uint(sub))
	}
	return all
}

// Handle carries out one request (§6.11); comments give its steps.
func (m *Manager) Handle(ctx context.Context, req *ctap.ConfigRequest) error {
	if req.Subcommand == 0 { // step 1
		return ctap.MissingParameter
	}
	carryOut, ok := m.subcommands()[req.Subcommand] // step 2
	if !ok {
		return ctap.InvalidParameter
	}
	settings, err := m.Settings.Settings()
	if err != nil {
		return err
	}
	if err := m.authorize(req, settings); err != nil { // steps 3 and 4
		return err
	}
	if err := carryOut(ctx, &settings, req.Params); err != nil { // step 5
		return err
	}
	return m.put(ctx, settings, fmt.Sprintf("always-uv %t, min-pin-length %d", settings.AlwaysUV, settings.MinPINLength))
}

// put writes the settings, and takes down what they are now.
func (m *Manager) put(ctx context.Context, s consent.Settings, now string) error {
	if err := m.Settings.PutSettings(s); err != nil {
		return err
	}
	entry := ctap.NewAuditEntry(ctx, ctap.AuditSettings, "", "")
	entry.Detail = now
	m.Gate.Trail.Note(entry)
	return nil
}

// authorize is steps 3 and 4. While there is no PIN, alwaysUv may be switched off
// without a token: there is nobody who could get one.
func (m *Manager) authorize(req *ctap.ConfigRequest, s consent.Settings) error {
	protected := m.Gate.PIN.IsSet()
	if !protected && (!s.AlwaysUV || req.Subcommand == ctap.ToggleAlwaysUV) {
		return nil
	}
	if err := ctap.CheckToken(req.PINUVAuthProtocol, req.PINUVAuthParam); err != nil {
		return err
	}
	_, err := m.Gate.VerifyToken(req.PINUVAuthProtocol, req.PINUVAuthParam, req.Message(), ctap.PermissionConfiguration)
	return err
}

// toggleAlwaysUV is §6.11.2. Without a PIN the person is asked before the demand
// goes: a program could otherwise weaken the passkeys of somebody who has just
// begun, and nothing would show it.
func (m *Manager) toggleAlwaysUV(ctx context.Context, s *consent.Settings, _ cbor.Raw) error {
	if s.AlwaysUV && !m.Gate.PIN.IsSet() {
		if err := m.Gate.Confirm(ctx, consent.Ask{Operation: consent.OperationRelax}); err != nil {
			return err
		}
	}
	s.AlwaysUV = !s.AlwaysUV
	return nil
}

// setMinPINLength is §6.11.4; the least length only grows, until a reset.
func (m *Manager) setMinPINLength(_ context.Context, s *consent.Settings, raw cbor.Raw) error {
	var params ctap.MinPINLengthParams
	if len(raw) > 0 {
		if err := cbor.Unmarshal(raw, &params); err != nil {
			return err
		}
	}
	least := s.MinPINLength
	if params.NewMinPINLength != nil {
		least = *params.NewMinPINLength
	}
	if least < s.MinPINLength || least > consent.MaxPINBytes {
		return ctap.PINPolicyViolation
	}
	force := params.ForceChangePIN != nil && *params.ForceChangePIN
	if force && !m.Gate.PIN.IsSet() {
		return ctap.PINNotSet
	}
	if params.RPIDs != nil {
		if err := checkRPIDs(params.RPIDs); err != nil {
			return err
		}
		s.MinPINLengthRPIDs = params.RPIDs
	}
	s.MinPINLength = least
	if force || m.Gate.PIN.IsSet() && s.PINLength < least {
		s.ForcePINChange = true
		return m.Gate.EndTokens() // nothing more on the word of a PIN that will not do
	}
	return nil
}

func checkRPIDs(ids []string) error {
	if len(ids) > MaxRPIDs {
		return ctap.KeyStoreFull
	}
	for _, id := range ids {
		if id == "" || len(id) > ctap.MaxRPIDBytes {
			return ctap.InvalidLength
		}
	}
	return nil
}
