package ctaptest

import (
	"bytes"
	"context"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func checkAccounts(r *rig) {
	r.setPIN()
	alice, bob, carol := r.register(site, "alice"), r.register(site, "bob"), r.register(site, "carol")
	byID := map[string]registered{string(alice.id): alice, string(bob.id): bob, string(carol.id): carol}

	// Our prompt shows them newest first, and the choice is final.
	r.Person.Asked()
	r.Person.Choose(2)
	response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site)))
	r.ok(err)
	alice.verify(r, response)
	if !response.UserSelected || response.NumberOfCredentials != 0 {
		r.Errorf("the person chose, but the answer is %+v", response)
	}
	asks := r.Person.Asked()
	if len(asks) != 1 || len(asks[0].Accounts) != 3 || asks[0].Accounts[0].Name != "carol" {
		r.Fatalf("asked %+v", asks)
	}
	_, err = r.a.GetNextAssertion(r.Context())
	r.wants(ctap.NotAllowed, err)

	// Where nobody is asked all are sent, newest first.
	token := r.token(ctap.PermissionGetAssertion, site)
	response, err = r.a.GetAssertion(r.Context(), withToken(silently(signIn(site)), token))
	r.ok(err)
	if response.NumberOfCredentials != 3 || response.UserSelected || !bytes.Equal(response.Credential.ID, carol.id) {
		r.Fatalf("first of several: %+v", response)
	}
	for range 2 {
		byID[string(response.Credential.ID)].verify(r, response)
		response, err = r.a.GetNextAssertion(r.Context())
		r.ok(err)
	}
	byID[string(response.Credential.ID)].verify(r, response)
	_, err = r.a.GetNextAssertion(r.Context())
	r.wants(ctap.NotAllowed, err)

	// Registering an account again replaces its passkey.
	again := r.register(site, "bob")
	_, err = r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, bob)))
	r.wants(ctap.NoCredentials, err)
	response, err = r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, again)))
	r.ok(err)
	again.verify(r, response)
}

func checkProtection(r *rig) {
	r.setPIN()
	protected := func(account string, level byte) registered {
		req := registration(site, account)
		req.Extensions = ctap.Extensions{"credProtect": cbor.Raw{level}}
		c := r.registerRequest(r.authenticated(req))
		if !bytes.Contains(c.data.Extensions, append([]byte("credProtect"), level)) {
			r.Errorf("level %d is not in the outputs", level)
		}
		return c
	}
	one, two, three := protected("one", 1), protected("two", 2), protected("three", 3)
	probe := func(c registered) error {
		_, err := r.a.GetAssertion(r.Context(), silently(signIn(site, c)))
		return err
	}
	r.ok(probe(one))
	r.ok(probe(two))
	r.wants(ctap.NoCredentials, probe(three))
	response, err := r.a.GetAssertion(r.Context(), silently(signIn(site)))
	r.ok(err)
	if !bytes.Equal(response.Credential.ID, one.id) {
		r.Error("level 2 was discovered without verification")
	}
	// Exclusion does not tell of level 3 without verification, but does with it.
	req := registration(site, "four")
	req.ExcludeList = []ctap.Descriptor{{ID: three.id, Type: "public-key"}}
	_, err = r.a.MakeCredential(r.Context(), r.authenticated(req))
	r.wants(ctap.CredentialExcluded, err)
}

// checkWhoIsNamed wants the person to know whose passkey is used, in as few questions
// as that takes, and the platform to be told that they do.
func checkWhoIsNamed(r *rig) {
	r.setPIN()
	r.Person.SetPINs(firstPIN)
	ask := func(allowed ...registered) (response *ctap.GetAssertionResponse, accounts []int) {
		r.Helper()
		r.Person.Asked()
		token, err := r.platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, site)
		r.ok(err)
		response, err = r.a.GetAssertion(r.Context(), withToken(signIn(site, allowed...), token))
		r.ok(err)
		for _, ask := range r.Person.Asked() {
			accounts = append(accounts, len(ask.Accounts))
		}
		return response, accounts
	}
	alice := r.register(site, "alice")
	for _, allowed := range [][]registered{nil, {alice}} {
		response, accounts := ask(allowed...)
		alice.verify(r, response)
		if response.UserSelected != (allowed == nil) || !slices.Equal(accounts, []int{1}) {
			r.Errorf("one account, %d allowed: selected %v, asked for %d", len(allowed), response.UserSelected, accounts)
		}
	}
	bob := r.register(site, "bob")
	response, accounts := ask(alice)
	alice.verify(r, response)
	if response.UserSelected || !slices.Equal(accounts, []int{0}) {
		r.Errorf("one of two allowed: selected %v, asked for %d", response.UserSelected, accounts)
	}
	for choice, who := range []registered{bob, alice} {
		r.Person.Choose(choice)
		response, accounts := ask()
		who.verify(r, response)
		if !response.UserSelected || !slices.Equal(accounts, []int{0, 2}) {
			r.Errorf("two accounts: selected %v, asked for %d", response.UserSelected, accounts)
		}
	}
	// A registration's token names nobody: whoever is here is not the one meant.
	r.Person.Asked()
	_, err := r.platform().TokenWithUV(r.Context(), ctap.PermissionMakeCredential, site)
	r.ok(err)
	if asks := r.Person.Asked(); len(asks) != 1 || len(asks[0].Accounts) != 0 {
		r.Errorf("asked %+v", asks)
	}
}

// hmacSecret asks for the outputs of salts and decrypts them.
func (r *rig) hmacSecret(req *ctap.GetAssertionRequest, salts ...[]byte) []byte {
	r.Helper()
	shared, agreement, err := r.platform().Agree(r.Context())
	r.ok(err)
	defer shared.Wipe()
	enc, err := shared.Encrypt(bytes.Join(salts, nil))
	r.ok(err)
	req.Extensions = ctap.Extensions{"hmac-secret": raw(r, map[int]any{
		1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(r.protocol),
	})}
	response, err := r.a.GetAssertion(r.Context(), req)
	r.ok(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.ok(err)
	var outputs struct {
		Secret []byte `cbor:"hmac-secret"`
	}
	r.ok(cbor.Unmarshal(data.Extensions, &outputs))
	plain, err := shared.Decrypt(outputs.Secret)
	r.ok(err)
	return plain.Reveal()
}

func checkHMACSecret(r *rig) {
	r.setPIN()
	req := registration(site, "alice")
	req.Extensions = ctap.Extensions{"hmac-secret": raw(r, true)}
	c := r.registerRequest(r.authenticated(req))
	saltA, saltB := challenge("salt a"), challenge("salt b")
	var first []byte
	for _, r.protocol = range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		both := r.hmacSecret(r.authenticatedSignIn(signIn(site, c)), saltA, saltB)
		if len(both) != 64 || bytes.Equal(both[:32], both[32:]) || bytes.Equal(both[:32], saltA) {
			r.Fatalf("outputs %x", both)
		}
		one := r.hmacSecret(r.authenticatedSignIn(signIn(site, c)), saltB)
		if !bytes.Equal(one, both[32:]) {
			r.Error("the output depends on the salt beside it")
		}
		if first == nil {
			first = both
		}
		if !bytes.Equal(first, both) {
			r.Error("the output depends on the protocol")
		}
	}
	r.Person.SetPINs(firstPIN)
	if prompted := r.hmacSecret(signIn(site, c), saltA, saltB); !bytes.Equal(first, prompted) {
		r.Error("the output depends on where the PIN was typed")
	}
	other := r.registerRequest(r.authenticated(func() *ctap.MakeCredentialRequest {
		req := registration(site, "bob")
		req.Extensions = ctap.Extensions{"hmac-secret": raw(r, true)}
		return req
	}()))
	if theirs := r.hmacSecret(r.authenticatedSignIn(signIn(site, other)), saltA, saltB); bytes.Equal(first, theirs) {
		r.Error("two credentials share their outputs")
	}
	r.badSalts(c)
}

func (r *rig) badSalts(c registered) {
	r.Helper()
	for name, bad := range map[string]struct {
		salt   []byte
		damage func(enc, mac []byte) ([]byte, []byte)
		want   ctap.Status
	}{
		"forged":    {make([]byte, 32), func(e, m []byte) ([]byte, []byte) { m[0] ^= 1; return e, m }, ctap.PINAuthInvalid},
		"16 bytes":  {make([]byte, 16), func(e, m []byte) ([]byte, []byte) { return e, m }, ctap.InvalidLength},
		"96 bytes":  {make([]byte, 96), func(e, m []byte) ([]byte, []byte) { return e, m }, ctap.InvalidLength},
		"truncated": {make([]byte, 32), func(e, m []byte) ([]byte, []byte) { return e[:len(e)-1], m }, ctap.PINAuthInvalid},
	} {
		shared, agreement, err := r.platform().Agree(r.Context())
		r.ok(err)
		enc, err := shared.Encrypt(bad.salt)
		r.ok(err)
		enc, mac := bad.damage(enc, shared.Authenticate(enc))
		req := r.authenticatedSignIn(signIn(site, c))
		req.Extensions = ctap.Extensions{"hmac-secret": raw(r, map[int]any{
			1: agreement.KeyAgreement, 2: enc, 3: mac, 4: uint(r.protocol),
		})}
		if _, err := r.a.GetAssertion(r.Context(), req); ctap.StatusOf(err) != bad.want {
			r.Errorf("%s salts: got %v, want %v", name, err, bad.want)
		}
	}
}

func checkCancel(r *rig) {
	r.setPIN()
	kept := r.register(site, "alice")
	r.Person.SetTouch(Hold)
	newcomer := registration(site, "mallory")
	for name, request := range map[string]func(context.Context) error{
		"registration": func(ctx context.Context) error {
			_, err := r.a.MakeCredential(ctx, newcomer)
			return err
		},
		"sign-in": func(ctx context.Context) error {
			_, err := r.a.GetAssertion(ctx, signIn(site, kept))
			return err
		},
		"selection": r.a.Selection,
		"reset":     r.a.Reset,
	} {
		drain(r.Person.Opened())
		ctx, cancel := context.WithCancel(r.Context())
		go func() { <-r.Person.Opened(); cancel() }()
		if status := ctap.StatusOf(request(ctx)); status != ctap.KeepaliveCancel {
			r.Errorf("a cancelled %s answered %v", name, status)
		}
		cancel()
	}
	r.Person.SetTouch(Auto)
	response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site)))
	r.ok(err)
	kept.verify(r, response)
	asks := r.Person.Asked()
	if last := asks[len(asks)-1]; len(last.Accounts) != 1 {
		r.Errorf("a cancelled registration left a credential: %+v", last.Accounts)
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func checkSilentProbe(r *rig) {
	r.setPIN()
	c := r.register(site, "alice")
	r.Person.Asked()
	req := silently(signIn(site, registered{id: []byte("unknown")}, c))
	response, err := r.a.GetAssertion(r.Context(), req)
	r.ok(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.ok(err)
	r.wantFlags(data, 0)
	if c.signed(response) || !bytes.Equal(response.Credential.ID, c.id) {
		r.Error("the decoy is a signature, or another credential's")
	}
	req.AllowList = req.AllowList[:1]
	_, err = r.a.GetAssertion(r.Context(), req)
	r.wants(ctap.NoCredentials, err)
	if len(r.Person.Asked()) != 0 {
		r.Error("a probe asked the person")
	}
	signed, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, c)))
	r.ok(err)
	if data := c.verify(r, signed); data.SignCount != 1 {
		r.Errorf("the probe moved the counter to %d", data.SignCount)
	}
}

func checkChannels(r *rig) {
	r.setPIN()
	r.register(site, "alice")
	r.register(site, "bob")
	silent := func() *ctap.GetAssertionRequest {
		return withToken(silently(signIn(site)), r.token(ctap.PermissionGetAssertion, site))
	}
	stranger := r.Open(r.T)
	_, err := r.a.GetAssertion(r.Context(), silent())
	r.ok(err)
	_, err = stranger.GetNextAssertion(r.Context())
	r.wants(ctap.NotAllowed, err)
	_, err = r.a.GetNextAssertion(r.Context())
	r.ok(err)

	_, err = r.a.GetAssertion(r.Context(), silent())
	r.ok(err)
	_, err = r.a.GetInfo(r.Context()) // any command in between ends it
	r.ok(err)
	_, err = r.a.GetNextAssertion(r.Context())
	r.wants(ctap.NotAllowed, err)

	manage := r.token(ctap.PermissionCredentialManagement, "")
	_, err = ctap.ManageCredentials(r.Context(), r.a, manage, ctap.EnumerateCredentialsBegin, siteParams())
	r.ok(err)
	next := &ctap.CredentialManagementRequest{Subcommand: ctap.EnumerateCredentialsGetNextCredential}
	_, err = stranger.CredentialManagement(r.Context(), next)
	r.wants(ctap.NotAllowed, err)
	_, err = r.a.CredentialManagement(r.Context(), next)
	r.ok(err)
}

func siteParams() *ctap.CredentialManagementParams {
	hash := webauthn.RPIDHash(site)
	return &ctap.CredentialManagementParams{RPIDHash: hash[:]}
}

func checkManagement(r *rig) {
	r.setPIN()
	alice, bob := r.register(site, "alice"), r.register(site, "bob")
	r.register("other.example", "alice")
	call := func(token pinuv.Token, sub ctap.CredentialSubcommand, params *ctap.CredentialManagementParams) (*ctap.CredentialManagementResponse, error) {
		return ctap.ManageCredentials(r.Context(), r.a, token, sub, params)
	}
	all := r.token(ctap.PermissionCredentialManagement, "")
	meta, err := call(all, ctap.GetCredsMetadata, nil)
	r.ok(err)
	if *meta.ExistingCount != 3 || *meta.RemainingCount == 0 {
		r.Errorf("metadata %d, %d", *meta.ExistingCount, *meta.RemainingCount)
	}
	rp, err := call(all, ctap.EnumerateRPsBegin, nil)
	r.ok(err)
	second, err := r.a.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: ctap.EnumerateRPsGetNextRP})
	r.ok(err)
	if ids := []string{rp.RP.ID, second.RP.ID}; *rp.TotalRPs != 2 || !slices.Equal(ids, []string{site, "other.example"}) {
		r.Errorf("relying parties %v of %d", ids, *rp.TotalRPs)
	}
	creds, err := call(all, ctap.EnumerateCredentialsBegin, siteParams())
	r.ok(err)
	if *creds.TotalCredentials != 2 || !bytes.Equal(creds.Credential.ID, bob.id) || *creds.CredProtect != 1 {
		r.Errorf("credentials %+v", creds)
	}
	one := r.token(ctap.PermissionCredentialManagement, "other.example")
	for _, sub := range []ctap.CredentialSubcommand{ctap.GetCredsMetadata, ctap.EnumerateRPsBegin} {
		_, err = call(one, sub, nil)
		r.wants(ctap.PINAuthInvalid, err)
	}
	theirs := &ctap.CredentialManagementParams{Credential: &ctap.Descriptor{ID: alice.id, Type: "public-key"}}
	_, err = call(one, ctap.DeleteCredential, theirs)
	r.wants(ctap.PINAuthInvalid, err)
	r.changeCredentials(alice, bob)
}

func (r *rig) changeCredentials(alice, bob registered) {
	r.Helper()
	all := r.token(ctap.PermissionCredentialManagement, "")
	descriptor := func(c registered) *ctap.Descriptor { return &ctap.Descriptor{ID: c.id, Type: "public-key"} }
	_, err := ctap.ManageCredentials(r.Context(), r.a, all, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: descriptor(alice), User: &ctap.User{ID: []byte("id of alice"), Name: "Alice B."},
	})
	r.ok(err)
	_, err = ctap.ManageCredentials(r.Context(), r.a, all, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: descriptor(alice), User: &ctap.User{ID: []byte("another's"), Name: "Eve"},
	})
	r.wants(ctap.InvalidParameter, err)
	_, err = ctap.ManageCredentials(r.Context(), r.a, all, ctap.DeleteCredential, &ctap.CredentialManagementParams{Credential: descriptor(bob)})
	r.ok(err)
	_, err = ctap.ManageCredentials(r.Context(), r.a, all, ctap.DeleteCredential, &ctap.CredentialManagementParams{Credential: descriptor(bob)})
	r.wants(ctap.NoCredentials, err)
	response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site)))
	r.ok(err)
	alice.verify(r, response)
	if response.User.Name != "Alice B." || response.User.DisplayName != "" {
		r.Errorf("user %+v", response.User)
	}
	_, err = r.a.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: ctap.GetCredsMetadata})
	r.wants(ctap.PUATRequired, err)
	_, err = r.a.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: 0x33})
	r.wants(ctap.InvalidSubcommand, err)
}

func checkReset(r *rig) {
	r.setPIN()
	c := r.register(site, "alice")
	r.PowerCycle(r.T)
	r.a = r.Open(r.T)
	r.Person.SetPINs(firstPIN)
	r.Person.SetTouch(Deny)
	r.wants(ctap.OperationDenied, r.a.Reset(r.Context()))
	r.Person.Asked()
	r.Person.SetTouch(Auto)
	r.ok(r.a.Reset(r.Context()))
	asks := r.Person.Asked()
	if len(asks) != 1 || asks[0].Lost != 1 || !slices.Equal(asks[0].Losses, []string{site + ": alice"}) || (asks[0].Verify != nil) != r.Socket {
		r.Errorf("asked %+v", asks)
	}
	info, err := r.a.GetInfo(r.Context())
	r.ok(err)
	if info.Options["clientPin"] {
		r.Error("the PIN survived the reset")
	}
	r.ok(r.platform().SetPIN(r.Context(), pin(firstPIN)))
	_, err = r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, c)))
	r.wants(ctap.NoCredentials, err)
	_, err = ctap.ManageCredentials(r.Context(), r.a, r.token(ctap.PermissionCredentialManagement, ""), ctap.EnumerateRPsBegin, nil)
	r.wants(ctap.NoCredentials, err)
	c = r.register(site, "alice")
	response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn(site, c)))
	r.ok(err)
	c.verify(r, response)
}
