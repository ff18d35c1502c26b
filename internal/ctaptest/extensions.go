package ctaptest

import (
	"bytes"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// outputs are the extension outputs that the contract looks at.
type outputs struct {
	Secret  cbor.Raw `cbor:"hmac-secret"`
	Secrets []byte   `cbor:"hmac-secret-mc"`
	Blob    cbor.Raw `cbor:"credBlob"`
	Payment *bool    `cbor:"thirdPartyPayment"`
}

func (r *rig) outputs(data webauthn.AuthenticatorData) (o outputs) {
	r.Helper()
	if len(data.Extensions) > 0 {
		r.OK(cbor.Unmarshal(data.Extensions, &o))
	}
	return o
}

// registerWith registers with extensions.
func (r *rig) registerWith(in ctap.Extensions, account string) party.Registered {
	r.Helper()
	req := party.Registration(party.Site, account)
	req.Extensions = in
	return r.RegisterRequest(r.Authenticated(req))
}

// signInWith signs in with extensions.
func (r *rig) signInWith(in ctap.Extensions, c party.Registered) outputs {
	r.Helper()
	req := r.AuthenticatedSignIn(party.SignIn(party.Site, c))
	req.Extensions = in
	response, err := r.A.GetAssertion(r.Context(), req)
	r.OK(err)
	return r.outputs(c.Verify(r.Rig, response))
}

func checkCredBlob(r *rig) {
	r.SetPIN()
	longest := int(r.Info().MaxCredBlobLength)
	if longest < 32 || !slices.Contains(r.Info().Extensions, "credBlob") {
		r.Fatalf("at most %d bytes, extensions %v", longest, r.Info().Extensions)
	}
	read := ctap.Extensions{"credBlob": party.Raw(r.Rig, true)}
	for _, c := range []struct {
		blob []byte
		kept bool
	}{
		{[]byte("what the party.Site wants to know"), true},
		{bytes.Repeat([]byte{0xB1}, longest), true},
		{[]byte{}, true},
		{make([]byte, longest+1), false},
	} {
		made := r.registerWith(ctap.Extensions{"credBlob": party.Raw(r.Rig, c.blob)}, "alice")
		if got := r.outputs(made.Data).Blob; !bytes.Equal(got, party.Raw(r.Rig, c.kept)) {
			r.Errorf("%d bytes: output %x", len(c.blob), got)
		}
		want := c.blob
		if !c.kept {
			want = []byte{}
		}
		if got := r.signInWith(read, made).Blob; !bytes.Equal(got, party.Raw(r.Rig, want)) {
			r.Errorf("kept %x, want %x", got, want)
		}
		if got := r.signInWith(ctap.Extensions{"credBlob": party.Raw(r.Rig, false)}, made).Blob; got != nil {
			r.Errorf("nobody asked for %x", got)
		}
	}
	req := party.Registration(party.Site, "bob")
	req.Extensions = read // of the wrong type
	_, err := r.A.MakeCredential(r.Context(), r.Authenticated(req))
	r.Wants(ctap.CBORUnexpectedType, ctap.StatusOf(err))
}

func checkThirdPartyPayment(r *rig) {
	r.SetPIN()
	ask := ctap.Extensions{"thirdPartyPayment": party.Raw(r.Rig, true)}
	for _, c := range []struct {
		in   ctap.Extensions
		want bool
	}{{ask, true}, {ctap.Extensions{"thirdPartyPayment": party.Raw(r.Rig, false)}, false}, {nil, false}} {
		made := r.registerWith(c.in, "alice")
		if got := r.outputs(made.Data).Payment; got != nil {
			r.Errorf("registration answers %v", *got)
		}
		if got := r.signInWith(ask, made).Payment; got == nil || *got != c.want {
			r.Errorf("registered with %v: %v", c.in, got)
		}
		if got := r.signInWith(nil, made).Payment; got != nil {
			r.Errorf("nobody asked for %v", *got)
		}
		managed, err := ctap.ManageCredentials(r.Context(), r.A, r.Token(ctap.PermissionCredentialManagement, ""), ctap.EnumerateCredentialsBegin, party.SiteParams())
		r.OK(err)
		if managed.ThirdPartyPayment == nil || *managed.ThirdPartyPayment != c.want {
			r.Errorf("management says %v", managed.ThirdPartyPayment)
		}
	}
}

// checkHMACSecretMC: the outputs at registration are those at sign-in.
func checkHMACSecretMC(r *rig) {
	r.SetPIN()
	r.Person.SetPINs(party.FirstPIN)
	salts := [][]byte{party.Challenge("salt a"), party.Challenge("salt b")}
	for _, r.Protocol = range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		for name, request := range map[string]func(*ctap.MakeCredentialRequest) *ctap.MakeCredentialRequest{
			"a token":        r.Authenticated,
			"our own prompt": func(req *ctap.MakeCredentialRequest) *ctap.MakeCredentialRequest { return req },
			"no attestation, a token without an RP": func(req *ctap.MakeCredentialRequest) *ctap.MakeCredentialRequest {
				req.AttestationFormatsPreference = []string{"none"}
				token, err := r.Platform().LegacyToken(r.Context(), party.PIN(party.FirstPIN))
				r.OK(err)
				param := token.Authenticate(req.ClientDataHash)
				req.PINUVAuthParam, req.PINUVAuthProtocol = &param, token.Protocol()
				return req
			},
		} {
			shared, agreement, err := r.Platform().Agree(r.Context())
			r.OK(err)
			enc, err := shared.Encrypt(bytes.Join(salts, nil))
			r.OK(err)
			req := party.Registration(party.Site, "alice")
			req.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, true), "hmac-secret-mc": party.Raw(r.Rig, map[int]any{
				1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(r.Protocol),
			})}
			made := r.RegisterRequest(request(req))
			plain, err := shared.Decrypt(r.outputs(made.Data).Secrets)
			r.OK(err)
			if again := r.hmacSecret(r.AuthenticatedSignIn(party.SignIn(party.Site, made)), salts...); !bytes.Equal(plain.Reveal(), again) {
				r.Errorf("%s, protocol %d: registration gave other outputs than the sign-in", name, r.Protocol)
			}
		}
	}
	if got := r.outputs(r.registerWith(ctap.Extensions{"hmac-secret-mc": r.salts()}, "bob").Data).Secrets; got != nil {
		r.Errorf("without hmac-secret it answers %x", got)
	}
	forged := party.Registration(party.Site, "carol")
	forged.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, true), "hmac-secret-mc": party.Raw(r.Rig, map[int]any{1: 2})}
	_, err := r.A.MakeCredential(r.Context(), r.Authenticated(forged))
	r.Wants(ctap.CBORUnexpectedType, ctap.StatusOf(err))
}
