package ctaptest

import (
	"bytes"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func checkInfo(r *rig) {
	info, err := r.A.GetInfo(r.Context())
	r.OK(err)
	// FIDO_2_3 is for the socket: older platforms take a device that names it for one without CTAP2.
	if slices.Contains(info.Versions, "FIDO_2_2") || slices.Contains(info.Versions, "FIDO_2_3") != r.Socket || !slices.Contains(info.Versions, "FIDO_2_1") {
		r.Errorf("versions %v", info.Versions)
	}
	for option, want := range map[string]bool{
		"rk": true, "up": true, "uv": false, "clientPin": false, "pinUvAuthToken": true,
		"credMgmt": true, "alwaysUv": true, "makeCredUvNotRqd": false, "plat": r.Socket,
		"authnrCfg": true, "uvAcfg": true, "largeBlobs": true, "perCredMgmtRO": true, "setMinPINLength": true,
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
	if info.PreferredPlatformUVAttempts != 1 || info.UVCountSinceLastPINEntry == nil || *info.UVCountSinceLastPINEntry != 0 ||
		info.UVModality == 0 || !slices.Equal(info.TransportsForReset, []string{"internal", "usb"}) {
		r.Errorf("attempts %d, modality %d, transports for reset %v", info.PreferredPlatformUVAttempts, info.UVModality, info.TransportsForReset)
	}
	r.SetPIN()
	info, err = r.A.GetInfo(r.Context())
	r.OK(err)
	if !info.Options["clientPin"] || !info.Options["uv"] {
		r.Errorf("with a PIN, clientPin and uv: %v", info.Options)
	}
}

func checkPINNeeded(r *rig) {
	_, err := r.A.MakeCredential(r.Context(), party.Registration(party.Site, "alice"))
	r.Wants(ctap.PUATRequired, err)
	_, err = r.A.GetAssertion(r.Context(), party.SignIn(party.Site))
	r.Wants(ctap.PUATRequired, err)
	req := party.Registration(party.Site, "alice")
	yes := true
	req.Options.UV = &yes
	_, err = r.A.MakeCredential(r.Context(), req)
	r.Wants(ctap.InvalidOption, err)
	if asks := r.Person.Asked(); len(asks) != 0 {
		r.Errorf("asked %d times for nothing", len(asks))
	}
}

func checkRegisterAndSignIn(r *rig) {
	r.SetPIN()
	for _, r.Protocol = range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		c := r.Register(party.Site, "alice")
		r.WantFlags(c.Data, webauthn.FlagUP|webauthn.FlagUV|webauthn.FlagAT)
		if c.Data.Attested.AAGUID == (webauthn.AAGUID{}) || c.Data.SignCount != 0 {
			r.Errorf("AAGUID %v, count %d", c.Data.Attested.AAGUID, c.Data.SignCount)
		}
		count := uint32(0)
		for range 3 {
			response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, c)))
			r.OK(err)
			data := c.Verify(r.Rig, response)
			r.WantFlags(data, webauthn.FlagUP|webauthn.FlagUV)
			if data.SignCount <= count {
				r.Errorf("sign count %d after %d", data.SignCount, count)
			}
			count = data.SignCount
		}
		response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
		r.OK(err)
		c.Verify(r.Rig, response)
		if response.User == nil || response.User.Name != "alice" || response.NumberOfCredentials != 0 {
			r.Errorf("a discoverable sign-in answered %+v", response)
		}
	}
	_, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn("other.example")))
	r.Wants(ctap.NoCredentials, err)
}

func checkBuiltInUV(r *rig) {
	r.SetPIN()
	r.Person.SetPINs(party.WrongPIN, party.FirstPIN)
	c := r.RegisterRequest(party.Registration(party.Site, "alice"))
	r.WantFlags(c.Data, webauthn.FlagUP|webauthn.FlagUV|webauthn.FlagAT)
	asks := r.Person.Asked()
	if len(asks) != 1 || asks[0].RP.ID != party.Site || asks[0].Accounts[0].Name != "alice" || asks[0].Verify == nil {
		r.Fatalf("asked %+v", asks)
	}
	response, err := r.A.GetAssertion(r.Context(), party.SignIn(party.Site, c))
	r.OK(err)
	r.WantFlags(c.Verify(r.Rig, response), webauthn.FlagUP|webauthn.FlagUV)

	// A token from our own prompt that named its RP counts as the gesture too.
	token, err := r.Platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, party.Site)
	r.OK(err)
	r.Person.Asked()
	response, err = r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, c), token))
	r.OK(err)
	r.WantFlags(c.Verify(r.Rig, response), webauthn.FlagUP|webauthn.FlagUV)
	if asks := r.Person.Asked(); len(asks) != 0 {
		r.Error("one gesture was not enough")
	}

	r.Person.SetPINs(party.WrongPIN)
	_, err = r.A.GetAssertion(r.Context(), party.SignIn(party.Site, c))
	r.Wants(ctap.PUATRequired, err)
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	r.Person.SetPINs(party.FirstPIN)
	r.Person.SetTouch(Deny)
	_, err = r.A.GetAssertion(r.Context(), party.SignIn(party.Site, c))
	r.Wants(ctap.OperationDenied, err)
}

func checkExcluded(r *rig) {
	r.SetPIN()
	c := r.Register(party.Site, "alice")
	req := party.Registration(party.Site, "alice")
	req.ExcludeList = []ctap.Descriptor{{ID: []byte("nobody's"), Type: "public-key"}, {ID: c.ID, Type: "public-key"}}
	for _, touch := range []Touch{Auto, Deny} {
		r.Person.SetTouch(touch)
		r.Person.Asked()
		_, err := r.A.MakeCredential(r.Context(), r.Authenticated(req))
		r.Wants(ctap.CredentialExcluded, err)
		if len(r.Person.Asked()) != 1 {
			r.Error("the party.Site learned of a credential without a question to the person")
		}
	}
	r.Person.SetTouch(Auto)
	elsewhere := party.Registration("other.example", "alice")
	elsewhere.ExcludeList = req.ExcludeList
	r.RegisterRequest(r.Authenticated(elsewhere))
}

func checkParameters(r *rig) {
	r.SetPIN()
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
		req := party.Registration(party.Site, "alice")
		c.change(req)
		r.Person.SetPINs(party.FirstPIN)
		if _, err := r.A.MakeCredential(r.Context(), req); ctap.StatusOf(err) != c.want {
			r.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	req := party.Registration(party.Site, "bob")
	req.User.Name = string(bytes.Repeat([]byte("å"), 40)) // 80 bytes, cut between characters
	req.AttestationFormatsPreference = []string{"tpm", "none"}
	response, err := r.A.MakeCredential(r.Context(), r.Authenticated(req))
	r.OK(err)
	if response.Format != "none" {
		r.Errorf("format %q although none was preferred", response.Format)
	}
	signedIn, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	r.OK(err)
	if want := string(bytes.Repeat([]byte("å"), 32)); signedIn.User.Name != want {
		r.Errorf("name %q", signedIn.User.Name)
	}
}

// checkAlgorithms: the first in the relying party's order that getInfo lists is taken, and
// signs; there is always ES256.
func checkAlgorithms(r *rig) {
	r.SetPIN()
	listed := r.Info().Algorithms
	es256, es384 := ctap.Parameter{Algorithm: cose.ES256, Type: "public-key"}, ctap.Parameter{Algorithm: cose.ES384, Type: "public-key"}
	if !slices.Contains(listed, es256) {
		r.Fatalf("algorithms %v", listed)
	}
	for _, offered := range [][]ctap.Parameter{
		{es256},
		{es256, es384},
		{es384, es256},
		{{Algorithm: cose.EdDSA, Type: "public-key"}, es384, es256},
		{{Algorithm: cose.ES384, Type: "something else"}, es256},
	} {
		var want cose.Algorithm
		for _, p := range offered {
			if want == 0 && slices.Contains(listed, p) {
				want = p.Algorithm
			}
		}
		req := party.Registration(party.Site, "alice")
		req.Parameters = offered
		c := r.RegisterRequest(r.Authenticated(req))
		if got := c.Data.Attested.PublicKey.Algorithm; got != want {
			r.Errorf("of %v it took %d, not %d", offered, got, want)
		}
		response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, c)))
		r.OK(err)
		c.Verify(r.Rig, response)
		response, err = r.A.GetAssertion(r.Context(), party.Silently(party.SignIn(party.Site, c)))
		r.OK(err)
		if c.Signed(response) || len(response.Signature) < 2*len(c.Data.Attested.PublicKey.X) {
			r.Errorf("a probe of algorithm %d is answered with a signature of %d bytes", want, len(response.Signature))
		}
	}
	if slices.Contains(listed, es384) {
		return
	}
	req := party.Registration(party.Site, "alice")
	req.Parameters = []ctap.Parameter{es384}
	_, err := r.A.MakeCredential(r.Context(), r.Authenticated(req))
	r.Wants(ctap.UnsupportedAlgorithm, err)
}

func checkSelection(r *rig) {
	r.OK(r.A.Selection(r.Context()))
	r.Person.SetTouch(Deny)
	r.Wants(ctap.OperationDenied, r.A.Selection(r.Context()))
	r.Person.SetTouch(Auto)
	touch := party.Registration(party.Site, "alice")
	touch.PINUVAuthParam = &[]byte{}
	_, err := r.A.MakeCredential(r.Context(), touch)
	r.Wants(ctap.PINNotSet, err)
	r.SetPIN()
	_, err = r.A.MakeCredential(r.Context(), touch)
	r.Wants(ctap.PINInvalid, err)
	_, err = r.A.MakeCredential(r.Context(), party.Registration(".dummy", "alice"))
	r.Wants(ctap.PINInvalid, err)
	if asks := r.Person.Asked(); len(asks) != 5 {
		r.Errorf("asked %d times, want 5", len(asks))
	}
}
