package ctaptest

import (
	"bytes"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func checkInfo(r *rig) {
	info, err := r.a.GetInfo(r.Context())
	r.ok(err)
	if slices.Contains(info.Versions, "FIDO_2_2") || !slices.Contains(info.Versions, "FIDO_2_3") {
		r.Errorf("versions %v", info.Versions)
	}
	for option, want := range map[string]bool{
		"rk": true, "up": true, "uv": false, "clientPin": false, "pinUvAuthToken": true,
		"credMgmt": true, "alwaysUv": true, "makeCredUvNotRqd": false, "plat": r.Socket,
		"authnrCfg": true, "uvAcfg": true, "setMinPINLength": true,
	} {
		if got, present := info.Options[option]; !present || got != want {
			r.Errorf("option %s: %v, present %v", option, got, present)
		}
	}
	if !slices.Equal(info.Transports, []string{"internal", "usb"}) {
		r.Errorf("transports %v", info.Transports)
	}
	if !slices.Equal(info.AuthenticatorConfigCommands, []uint{2, 3}) || info.MaxRPIDsForSetMinPINLength == 0 {
		r.Errorf("config commands %v, %d relying parties", info.AuthenticatorConfigCommands, info.MaxRPIDsForSetMinPINLength)
	}
	r.setPIN()
	info, err = r.a.GetInfo(r.Context())
	r.ok(err)
	if !info.Options["clientPin"] || !info.Options["uv"] {
		r.Errorf("with a PIN, clientPin and uv: %v", info.Options)
	}
}

func checkPINNeeded(r *rig) {
	_, err := r.a.MakeCredential(r.Context(), registration(site, "alice"))
	r.wants(ctap.PUATRequired, err)
	_, err = r.a.GetAssertion(r.Context(), signIn(site))
	r.wants(ctap.PUATRequired, err)
	req := registration(site, "alice")
	yes := true
	req.Options.UV = &yes
	_, err = r.a.MakeCredential(r.Context(), req)
	r.wants(ctap.InvalidOption, err)
	if asks := r.Person.Asked(); len(asks) != 0 {
		r.Errorf("asked %d times for nothing", len(asks))
	}
}

func checkRegisterAndSignIn(r *rig) {
	r.setPIN()
	for _, r.protocol = range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		c := r.register(site, "alice")
		r.wantFlags(c.data, webauthn.FlagUP|webauthn.FlagUV|webauthn.FlagAT)
		if c.data.Attested.AAGUID == (webauthn.AAGUID{}) || c.data.SignCount != 0 {
			r.Errorf("AAGUID %v, count %d", c.data.Attested.AAGUID, c.data.SignCount)
		}
		count := uint32(0)
		for range 3 {
			response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, c)))
			r.ok(err)
			data := c.verify(r, response)
			r.wantFlags(data, webauthn.FlagUP|webauthn.FlagUV)
			if data.SignCount <= count {
				r.Errorf("sign count %d after %d", data.SignCount, count)
			}
			count = data.SignCount
		}
		response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site)))
		r.ok(err)
		c.verify(r, response)
		if response.User == nil || response.User.Name != "alice" || response.NumberOfCredentials != 0 {
			r.Errorf("a discoverable sign-in answered %+v", response)
		}
	}
	_, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn("other.example")))
	r.wants(ctap.NoCredentials, err)
}

func checkBuiltInUV(r *rig) {
	r.setPIN()
	r.Person.SetPINs(wrongPIN, firstPIN)
	c := r.registerRequest(registration(site, "alice"))
	r.wantFlags(c.data, webauthn.FlagUP|webauthn.FlagUV|webauthn.FlagAT)
	asks := r.Person.Asked()
	if len(asks) != 1 || asks[0].RP.ID != site || asks[0].Accounts[0].Name != "alice" || asks[0].Verify == nil {
		r.Fatalf("asked %+v", asks)
	}
	response, err := r.a.GetAssertion(r.Context(), signIn(site, c))
	r.ok(err)
	r.wantFlags(c.verify(r, response), webauthn.FlagUP|webauthn.FlagUV)

	// A token from our own prompt that named its RP counts as the gesture too.
	token, err := r.platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, site)
	r.ok(err)
	r.Person.Asked()
	response, err = r.a.GetAssertion(r.Context(), withToken(signIn(site, c), token))
	r.ok(err)
	r.wantFlags(c.verify(r, response), webauthn.FlagUP|webauthn.FlagUV)
	if asks := r.Person.Asked(); len(asks) != 0 {
		r.Error("one gesture was not enough")
	}

	r.Person.SetPINs(wrongPIN)
	_, err = r.a.GetAssertion(r.Context(), signIn(site, c))
	r.wants(ctap.PUATRequired, err)
	r.PowerCycle(r.T)
	r.a = r.Open(r.T)
	r.Person.SetPINs(firstPIN)
	r.Person.SetTouch(Deny)
	_, err = r.a.GetAssertion(r.Context(), signIn(site, c))
	r.wants(ctap.OperationDenied, err)
}

func checkExcluded(r *rig) {
	r.setPIN()
	c := r.register(site, "alice")
	req := registration(site, "alice")
	req.ExcludeList = []ctap.Descriptor{{ID: []byte("nobody's"), Type: "public-key"}, {ID: c.id, Type: "public-key"}}
	for _, touch := range []Touch{Auto, Deny} {
		r.Person.SetTouch(touch)
		r.Person.Asked()
		_, err := r.a.MakeCredential(r.Context(), r.authenticated(req))
		r.wants(ctap.CredentialExcluded, err)
		if len(r.Person.Asked()) != 1 {
			r.Error("the site learned of a credential without a question to the person")
		}
	}
	r.Person.SetTouch(Auto)
	elsewhere := registration("other.example", "alice")
	elsewhere.ExcludeList = req.ExcludeList
	r.registerRequest(r.authenticated(elsewhere))
}

func checkParameters(r *rig) {
	r.setPIN()
	for name, c := range map[string]struct {
		change func(*ctap.MakeCredentialRequest)
		want   ctap.Status
	}{
		"no hash":        {func(q *ctap.MakeCredentialRequest) { q.ClientDataHash = nil }, ctap.MissingParameter},
		"short hash":     {func(q *ctap.MakeCredentialRequest) { q.ClientDataHash = []byte("short") }, ctap.InvalidLength},
		"no rp":          {func(q *ctap.MakeCredentialRequest) { q.RP = nil }, ctap.MissingParameter},
		"no user":        {func(q *ctap.MakeCredentialRequest) { q.User = nil }, ctap.MissingParameter},
		"long handle":    {func(q *ctap.MakeCredentialRequest) { q.User.ID = make([]byte, 65) }, ctap.InvalidLength},
		"no algorithms":  {func(q *ctap.MakeCredentialRequest) { q.Parameters = nil }, ctap.MissingParameter},
		"EdDSA alone":    {func(q *ctap.MakeCredentialRequest) { q.Parameters = q.Parameters[:1] }, ctap.UnsupportedAlgorithm},
		"up false":       {func(q *ctap.MakeCredentialRequest) { no := false; q.Options.UP = &no }, ctap.InvalidOption},
		"enterprise":     {func(q *ctap.MakeCredentialRequest) { one := uint(1); q.EnterpriseAttestation = &one }, ctap.InvalidParameter},
		"no protocol":    {func(q *ctap.MakeCredentialRequest) { p := []byte("x"); q.PINUVAuthParam = &p }, ctap.MissingParameter},
		"third protocol": {func(q *ctap.MakeCredentialRequest) { p := []byte("x"); q.PINUVAuthParam, q.PINUVAuthProtocol = &p, 3 }, ctap.InvalidParameter},
		"forged param": {func(q *ctap.MakeCredentialRequest) {
			p := make([]byte, 32)
			q.PINUVAuthParam, q.PINUVAuthProtocol = &p, pinuv.Two
		}, ctap.PINAuthInvalid},
		"protect level": {func(q *ctap.MakeCredentialRequest) { q.Extensions = ctap.Extensions{"credProtect": cbor.Raw{4}} }, ctap.InvalidOption},
		"protect type":  {func(q *ctap.MakeCredentialRequest) { q.Extensions = ctap.Extensions{"credProtect": cbor.Raw{0x41, 1}} }, ctap.CBORUnexpectedType},
	} {
		req := registration(site, "alice")
		c.change(req)
		r.Person.SetPINs(firstPIN)
		if _, err := r.a.MakeCredential(r.Context(), req); ctap.StatusOf(err) != c.want {
			r.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	req := registration(site, "bob")
	req.User.Name = string(bytes.Repeat([]byte("å"), 40)) // 80 bytes, cut between characters
	req.AttestationFormatsPreference = []string{"tpm", "none"}
	response, err := r.a.MakeCredential(r.Context(), r.authenticated(req))
	r.ok(err)
	if response.Format != "none" {
		r.Errorf("format %q although none was preferred", response.Format)
	}
	signedIn, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site)))
	r.ok(err)
	if want := string(bytes.Repeat([]byte("å"), 32)); signedIn.User.Name != want {
		r.Errorf("name %q", signedIn.User.Name)
	}
	if algorithm := supported(r); !slices.Equal(algorithm, []ctap.Parameter{{Algorithm: cose.ES256, Type: "public-key"}}) {
		r.Errorf("algorithms %v", algorithm)
	}
}

func supported(r *rig) []ctap.Parameter {
	info, err := r.a.GetInfo(r.Context())
	r.ok(err)
	return info.Algorithms
}

func checkSelection(r *rig) {
	r.ok(r.a.Selection(r.Context()))
	r.Person.SetTouch(Deny)
	r.wants(ctap.OperationDenied, r.a.Selection(r.Context()))
	r.Person.SetTouch(Auto)
	touch := registration(site, "alice")
	touch.PINUVAuthParam = &[]byte{}
	_, err := r.a.MakeCredential(r.Context(), touch)
	r.wants(ctap.PINNotSet, err)
	r.setPIN()
	_, err = r.a.MakeCredential(r.Context(), touch)
	r.wants(ctap.PINInvalid, err)
	_, err = r.a.MakeCredential(r.Context(), registration(".dummy", "alice"))
	r.wants(ctap.PINInvalid, err)
	if asks := r.Person.Asked(); len(asks) != 5 {
		r.Errorf("asked %d times, want 5", len(asks))
	}
}
