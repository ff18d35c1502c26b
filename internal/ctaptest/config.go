package ctaptest

import (
	"fmt"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func (r *rig) info() *ctap.GetInfoResponse {
	r.Helper()
	info, err := r.a.GetInfo(r.Context())
	r.ok(err)
	return info
}

// setMinPINLength makes that request with a fresh token.
func (r *rig) setMinPINLength(params *ctap.MinPINLengthParams) error {
	r.Helper()
	return ctap.Configure(r.Context(), r.a, r.token(ctap.PermissionConfiguration, ""), ctap.SetMinPINLength, params)
}

func checkAlwaysUV(r *rig) {
	r.setPIN()
	bound := r.register(site, "alice")
	token := r.token(ctap.PermissionConfiguration, "")
	r.ok(ctap.Configure(r.Context(), r.a, token, ctap.ToggleAlwaysUV, nil))
	if r.info().Options["alwaysUv"] {
		r.Fatal("alwaysUv is still on")
	}
	// What is made now works without the PIN, what was made before does not.
	present := r.register("other.example", "bob")
	r.Person.SetPINs()
	response, err := r.a.GetAssertion(r.Context(), signIn("other.example", present))
	r.ok(err)
	r.wantFlags(present.verify(r, response), webauthn.FlagUP)
	r.Person.SetPINs(firstPIN)
	response, err = r.a.GetAssertion(r.Context(), signIn(site, bound))
	r.ok(err)
	r.wantFlags(bound.verify(r, response), webauthn.FlagUP|webauthn.FlagUV)
	r.PowerCycle(r.T)
	r.a = r.Open(r.T)
	if r.info().Options["alwaysUv"] {
		r.Error("alwaysUv came back with the power")
	}
	// Our own prompt can permit it as well.
	token, err = r.platform().TokenWithUV(r.Context(), ctap.PermissionConfiguration, "")
	r.ok(err)
	r.ok(ctap.Configure(r.Context(), r.a, token, ctap.ToggleAlwaysUV, nil))
	if !r.info().Options["alwaysUv"] {
		r.Error("alwaysUv is still off")
	}
}

func checkAlwaysUVWithoutPIN(r *rig) {
	toggle := &ctap.ConfigRequest{Subcommand: ctap.ToggleAlwaysUV}
	r.Person.SetTouch(Deny)
	r.wants(ctap.OperationDenied, r.a.Config(r.Context(), toggle))
	r.Person.SetTouch(Auto)
	r.wants(ctap.PUATRequired, r.a.Config(r.Context(), &ctap.ConfigRequest{Subcommand: ctap.SetMinPINLength}))
	r.Person.Asked()
	r.ok(r.a.Config(r.Context(), toggle))
	if asks := r.Person.Asked(); len(asks) != 1 || r.info().Options["alwaysUv"] {
		r.Fatalf("asked %+v, options %v", asks, r.info().Options)
	}
	c := r.registerRequest(registration(site, "alice"))
	r.wantFlags(c.data, webauthn.FlagUP|webauthn.FlagAT)
	r.Person.Asked()
	r.ok(r.a.Config(r.Context(), toggle))
	if asks := r.Person.Asked(); len(asks) != 0 || !r.info().Options["alwaysUv"] {
		r.Errorf("asked %+v, options %v", asks, r.info().Options)
	}
}

func checkMinPINLength(r *rig) {
	yes, eight, thirteen, fourteen := true, uint(8), uint(13), uint(14)
	r.setPIN() // 13 characters
	length := func(n *uint) *ctap.MinPINLengthParams { return &ctap.MinPINLengthParams{NewMinPINLength: n} }
	r.ok(r.setMinPINLength(&ctap.MinPINLengthParams{NewMinPINLength: &eight, RPIDs: []string{"a.example", site}}))
	if got := r.minPINLength(site); got == nil || *got != 8 {
		r.Errorf("a listed relying party was told %v", got)
	}
	if got := r.minPINLength("other.example"); got != nil {
		r.Errorf("another was told %d", *got)
	}
	r.ok(r.setMinPINLength(length(&thirteen)))
	if info := r.info(); info.MinPINLength != 13 || *info.ForcePINChange {
		r.Errorf("least %d, change %v", info.MinPINLength, *info.ForcePINChange)
	}
	r.wants(ctap.PINPolicyViolation, r.setMinPINLength(length(&eight)))
	r.wants(ctap.PINPolicyViolation, r.platform().ChangePIN(r.Context(), pin(firstPIN), pin("twelve chars")))
	r.ok(r.setMinPINLength(length(&fourteen)))
	r.mustChange()
	r.ok(r.platform().ChangePIN(r.Context(), pin(firstPIN), pin(firstPIN+"s")))
	r.ok(r.platform().ChangePIN(r.Context(), pin(firstPIN+"s"), pin(firstPIN+"t")))
	token, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN+"t"), ctap.PermissionConfiguration, "")
	r.ok(err)
	r.ok(ctap.Configure(r.Context(), r.a, token, ctap.SetMinPINLength, &ctap.MinPINLengthParams{ForceChangePIN: &yes}))
	if info := r.info(); info.MinPINLength != 14 || !*info.ForcePINChange {
		r.Errorf("least %d, change %v", info.MinPINLength, *info.ForcePINChange)
	}
	r.wants(ctap.PINAuthInvalid, ctap.Configure(r.Context(), r.a, token, ctap.ToggleAlwaysUV, nil)) // the token is gone
	r.wants(ctap.PINPolicyViolation, r.platform().ChangePIN(r.Context(), pin(firstPIN+"t"), pin(firstPIN+"t")))
}

// minPINLength registers and gives the output of minPinLength, nil for none.
func (r *rig) minPINLength(rpID string) *uint {
	r.Helper()
	req := registration(rpID, "alice")
	req.Extensions = ctap.Extensions{"minPinLength": raw(r, true)}
	var outputs struct {
		Length *uint `cbor:"minPinLength"`
	}
	if c := r.registerRequest(r.authenticated(req)); len(c.data.Extensions) > 0 {
		r.ok(cbor.Unmarshal(c.data.Extensions, &outputs))
	}
	return outputs.Length
}

// mustChange checks that the PIN is good for nothing but changing it.
func (r *rig) mustChange() {
	r.Helper()
	if info := r.info(); !*info.ForcePINChange || info.Options["uv"] {
		r.Errorf("change %v, uv %v", *info.ForcePINChange, info.Options["uv"])
	}
	_, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN), ctap.PermissionGetAssertion, site)
	r.wants(ctap.PINPolicyViolation, err)
	_, err = r.platform().LegacyToken(r.Context(), pin(firstPIN))
	r.wants(ctap.PINInvalid, err)
	_, err = r.platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, site)
	r.wants(ctap.NotAllowed, err)
	r.Person.SetPINs(firstPIN)
	_, err = r.a.GetAssertion(r.Context(), signIn(site))
	r.wants(ctap.PUATRequired, err)
	if left, _, _ := r.retries(); left != 8 {
		r.Errorf("%d tries left", left)
	}
}

func checkConfigRefusals(r *rig) {
	r.setPIN()
	config := func(change func(*ctap.ConfigRequest)) error {
		token := r.token(ctap.PermissionConfiguration, "")
		req := &ctap.ConfigRequest{Subcommand: ctap.ToggleAlwaysUV, PINUVAuthProtocol: token.Protocol()}
		req.PINUVAuthParam = token.Authenticate(req.Message())
		change(req)
		return r.a.Config(r.Context(), req)
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
	r.wants(ctap.PINAuthInvalid, ctap.Configure(r.Context(), r.a, r.token(ctap.PermissionCredentialManagement, ""), ctap.ToggleAlwaysUV, nil))
	long := uint(64)
	r.wants(ctap.PINPolicyViolation, r.setMinPINLength(&ctap.MinPINLengthParams{NewMinPINLength: &long}))
	var many []string
	for i := range r.info().MaxRPIDsForSetMinPINLength {
		many = append(many, fmt.Sprintf("%d.example", i))
	}
	r.ok(r.setMinPINLength(&ctap.MinPINLengthParams{RPIDs: many}))
	r.wants(ctap.KeyStoreFull, r.setMinPINLength(&ctap.MinPINLengthParams{RPIDs: append(slices.Clone(many), site)}))
	if info := r.info(); !info.Options["alwaysUv"] || info.MinPINLength != 4 {
		r.Errorf("a refused request changed something: %+v", info)
	}
}
