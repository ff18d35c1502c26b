package ctaptest

import (
	"fmt"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// setMinPINLength makes that request with a fresh token.
func (r *rig) setMinPINLength(params *ctap.MinPINLengthParams) error {
	r.Helper()
	return ctap.Configure(r.Context(), r.A, r.Token(ctap.PermissionConfiguration, ""), ctap.SetMinPINLength, params)
}

func checkAlwaysUV(r *rig) {
	r.SetPIN()
	bound := r.Register(party.Site, "alice")
	token := r.Token(ctap.PermissionConfiguration, "")
	r.OK(ctap.Configure(r.Context(), r.A, token, ctap.ToggleAlwaysUV, nil))
	if r.Info().Options["alwaysUv"] {
		r.Fatal("alwaysUv is still on")
	}
	// What is made now works without the PIN, what was made before does not.
	present := r.Register("other.example", "bob")
	r.Person.SetPINs()
	response, err := r.A.GetAssertion(r.Context(), party.SignIn("other.example", present))
	r.OK(err)
	r.WantFlags(present.Verify(r.Rig, response), webauthn.FlagUP)
	r.Person.SetPINs(party.FirstPIN)
	response, err = r.A.GetAssertion(r.Context(), party.SignIn(party.Site, bound))
	r.OK(err)
	r.WantFlags(bound.Verify(r.Rig, response), webauthn.FlagUP|webauthn.FlagUV)
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	if r.Info().Options["alwaysUv"] {
		r.Error("alwaysUv came back with the power")
	}
	// Our own prompt can permit it as well.
	token, err = r.Platform().TokenWithUV(r.Context(), ctap.PermissionConfiguration, "")
	r.OK(err)
	r.OK(ctap.Configure(r.Context(), r.A, token, ctap.ToggleAlwaysUV, nil))
	if !r.Info().Options["alwaysUv"] {
		r.Error("alwaysUv is still off")
	}
}

func checkAlwaysUVWithoutPIN(r *rig) {
	toggle := &ctap.ConfigRequest{Subcommand: ctap.ToggleAlwaysUV}
	r.Person.SetTouch(Deny)
	r.Wants(ctap.OperationDenied, r.A.Config(r.Context(), toggle))
	r.Person.SetTouch(Auto)
	r.Wants(ctap.PUATRequired, r.A.Config(r.Context(), &ctap.ConfigRequest{Subcommand: ctap.SetMinPINLength}))
	r.Person.Asked()
	r.OK(r.A.Config(r.Context(), toggle))
	if asks := r.Person.Asked(); len(asks) != 1 || r.Info().Options["alwaysUv"] {
		r.Fatalf("asked %+v, options %v", asks, r.Info().Options)
	}
	c := r.RegisterRequest(party.Registration(party.Site, "alice"))
	r.WantFlags(c.Data, webauthn.FlagUP|webauthn.FlagAT)
	r.Person.Asked()
	r.OK(r.A.Config(r.Context(), toggle))
	if asks := r.Person.Asked(); len(asks) != 0 || !r.Info().Options["alwaysUv"] {
		r.Errorf("asked %+v, options %v", asks, r.Info().Options)
	}
}

func checkMinPINLength(r *rig) {
	yes, eight, thirteen, fourteen := true, uint(8), uint(13), uint(14)
	r.SetPIN() // 13 characters
	length := func(n *uint) *ctap.MinPINLengthParams { return &ctap.MinPINLengthParams{NewMinPINLength: n} }
	r.OK(r.setMinPINLength(&ctap.MinPINLengthParams{NewMinPINLength: &eight, RPIDs: []string{"a.example", party.Site}}))
	if got := r.minPINLength(party.Site); got == nil || *got != 8 {
		r.Errorf("a listed relying party was told %v", got)
	}
	if got := r.minPINLength("other.example"); got != nil {
		r.Errorf("another was told %d", *got)
	}
	r.OK(r.setMinPINLength(length(&thirteen)))
	if info := r.Info(); info.MinPINLength != 13 || *info.ForcePINChange {
		r.Errorf("least %d, change %v", info.MinPINLength, *info.ForcePINChange)
	}
	r.Wants(ctap.PINPolicyViolation, r.setMinPINLength(length(&eight)))
	r.Wants(ctap.PINPolicyViolation, r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN("twelve chars")))
	r.OK(r.setMinPINLength(length(&fourteen)))
	r.mustChange()
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.FirstPIN+"s")))
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN+"s"), party.PIN(party.FirstPIN+"t")))
	token, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.FirstPIN+"t"), ctap.PermissionConfiguration, "")
	r.OK(err)
	r.OK(ctap.Configure(r.Context(), r.A, token, ctap.SetMinPINLength, &ctap.MinPINLengthParams{ForceChangePIN: &yes}))
	if info := r.Info(); info.MinPINLength != 14 || !*info.ForcePINChange {
		r.Errorf("least %d, change %v", info.MinPINLength, *info.ForcePINChange)
	}
	r.Wants(ctap.PINAuthInvalid, ctap.Configure(r.Context(), r.A, token, ctap.ToggleAlwaysUV, nil)) // the token is gone
	r.Wants(ctap.PINPolicyViolation, r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN+"t"), party.PIN(party.FirstPIN+"t")))
}

// minPINLength registers and gives the output of minPinLength, nil for none.
func (r *rig) minPINLength(rpID string) *uint {
	r.Helper()
	req := party.Registration(rpID, "alice")
	req.Extensions = ctap.Extensions{"minPinLength": party.Raw(r.Rig, true)}
	var outputs struct {
		Length *uint `cbor:"minPinLength"`
	}
	if c := r.RegisterRequest(r.Authenticated(req)); len(c.Data.Extensions) > 0 {
		r.OK(cbor.Unmarshal(c.Data.Extensions, &outputs))
	}
	return outputs.Length
}

// mustChange checks that the PIN is good for nothing but changing it.
func (r *rig) mustChange() {
	r.Helper()
	if info := r.Info(); !*info.ForcePINChange || info.Options["uv"] {
		r.Errorf("change %v, uv %v", *info.ForcePINChange, info.Options["uv"])
	}
	_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.FirstPIN), ctap.PermissionGetAssertion, party.Site)
	r.Wants(ctap.PINPolicyViolation, err)
	_, err = r.Platform().LegacyToken(r.Context(), party.PIN(party.FirstPIN))
	r.Wants(ctap.PINInvalid, err)
	_, err = r.Platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, party.Site)
	r.Wants(ctap.NotAllowed, err)
	r.Person.SetPINs(party.FirstPIN)
	_, err = r.A.GetAssertion(r.Context(), party.SignIn(party.Site))
	r.Wants(ctap.PUATRequired, err)
	if left, _, _ := r.retries(); left != 8 {
		r.Errorf("%d tries left", left)
	}
}

func checkConfigRefusals(r *rig) {
	r.SetPIN()
	config := func(change func(*ctap.ConfigRequest)) error {
		token := r.Token(ctap.PermissionConfiguration, "")
		req := &ctap.ConfigRequest{Subcommand: ctap.ToggleAlwaysUV, PINUVAuthProtocol: token.Protocol()}
		req.PINUVAuthParam = token.Authenticate(req.Message())
		change(req)
		return r.A.Config(r.Context(), req)
	}
	for name, c := range map[string]struct {
		change func(*ctap.ConfigRequest)
		want   ctap.Status
	}{
		"no sub-command": {func(q *ctap.ConfigRequest) { q.Subcommand = 0 }, ctap.MissingParameter},
		"enterprise":     {func(q *ctap.ConfigRequest) { q.Subcommand = ctap.EnableEnterpriseAttestation }, ctap.InvalidParameter},
		"vendor":         {func(q *ctap.ConfigRequest) { q.Subcommand = 0xFF }, ctap.InvalidParameter},
		"no param":       {func(q *ctap.ConfigRequest) { q.PINUVAuthParam = nil }, ctap.PUATRequired},
		"no protocol":    {func(q *ctap.ConfigRequest) { q.PINUVAuthProtocol = 0 }, ctap.MissingParameter},
		"third protocol": {func(q *ctap.ConfigRequest) { q.PINUVAuthProtocol = 3 }, ctap.InvalidParameter},
		"other protocol": {func(q *ctap.ConfigRequest) { q.PINUVAuthProtocol = pinuv.One }, ctap.PINAuthInvalid},
		"forged":         {func(q *ctap.ConfigRequest) { q.PINUVAuthParam[0] ^= 1 }, ctap.PINAuthInvalid},
		"other command":  {func(q *ctap.ConfigRequest) { q.Subcommand = ctap.SetMinPINLength }, ctap.PINAuthInvalid},
		"other params":   {func(q *ctap.ConfigRequest) { q.Params = cbor.Raw{0xA0} }, ctap.PINAuthInvalid},
	} {
		if err := config(c.change); ctap.StatusOf(err) != c.want {
			r.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	r.Wants(ctap.PINAuthInvalid, ctap.Configure(r.Context(), r.A, r.Token(ctap.PermissionCredentialManagement, ""), ctap.ToggleAlwaysUV, nil))
	long := uint(64)
	r.Wants(ctap.PINPolicyViolation, r.setMinPINLength(&ctap.MinPINLengthParams{NewMinPINLength: &long}))
	var many []string
	for i := range r.Info().MaxRPIDsForSetMinPINLength {
		many = append(many, fmt.Sprintf("%d.example", i))
	}
	r.OK(r.setMinPINLength(&ctap.MinPINLengthParams{RPIDs: many}))
	r.Wants(ctap.KeyStoreFull, r.setMinPINLength(&ctap.MinPINLengthParams{RPIDs: append(slices.Clone(many), party.Site)}))
	if info := r.Info(); !info.Options["alwaysUv"] || info.MinPINLength != 4 {
		r.Errorf("a refused request changed something: %+v", info)
	}
}
