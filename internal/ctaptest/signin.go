package ctaptest

import (
	"bytes"
	"context"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func checkAccounts(r *rig) {
	r.SetPIN()
	alice, bob, carol := r.Register(party.Site, "alice"), r.Register(party.Site, "bob"), r.Register(party.Site, "carol")
	byID := map[string]party.Registered{string(alice.ID): alice, string(bob.ID): bob, string(carol.ID): carol}

	// Our prompt shows them newest first, and the choice is final.
	r.Person.Asked()
	r.Person.Choose(2)
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	r.OK(err)
	alice.Verify(r.Rig, response)
	if !response.UserSelected || response.NumberOfCredentials != 0 {
		r.Errorf("the person chose, but the answer is %+v", response)
	}
	asks := r.Person.Asked()
	if len(asks) != 1 || len(asks[0].Accounts) != 3 || asks[0].Accounts[0].Name != "carol" {
		r.Fatalf("asked %+v", asks)
	}
	_, err = r.A.GetNextAssertion(r.Context())
	r.Wants(ctap.NotAllowed, err)

	// Where nobody is asked all are sent, newest first.
	token := r.Token(ctap.PermissionGetAssertion, party.Site)
	response, err = r.A.GetAssertion(r.Context(), party.WithToken(party.Silently(party.SignIn(party.Site)), token))
	r.OK(err)
	if response.NumberOfCredentials != 3 || response.UserSelected || !bytes.Equal(response.Credential.ID, carol.ID) {
		r.Fatalf("first of several: %+v", response)
	}
	for range 2 {
		byID[string(response.Credential.ID)].Verify(r.Rig, response)
		response, err = r.A.GetNextAssertion(r.Context())
		r.OK(err)
	}
	byID[string(response.Credential.ID)].Verify(r.Rig, response)
	_, err = r.A.GetNextAssertion(r.Context())
	r.Wants(ctap.NotAllowed, err)

	// Registering an account again replaces its passkey.
	again := r.Register(party.Site, "bob")
	_, err = r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, bob)))
	r.Wants(ctap.NoCredentials, err)
	response, err = r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, again)))
	r.OK(err)
	again.Verify(r.Rig, response)
}

func checkProtection(r *rig) {
	r.SetPIN()
	protected := func(account string, level byte) party.Registered {
		req := party.Registration(party.Site, account)
		req.Extensions = ctap.Extensions{"credProtect": cbor.Raw{level}}
		c := r.RegisterRequest(r.Authenticated(req))
		if !bytes.Contains(c.Data.Extensions, append([]byte("credProtect"), level)) {
			r.Errorf("level %d is not in the outputs", level)
		}
		return c
	}
	one, two, three := protected("one", 1), protected("two", 2), protected("three", 3)
	probe := func(c party.Registered) error {
		_, err := r.A.GetAssertion(r.Context(), party.Silently(party.SignIn(party.Site, c)))
		return err
	}
	r.OK(probe(one))
	r.OK(probe(two))
	r.Wants(ctap.NoCredentials, probe(three))
	response, err := r.A.GetAssertion(r.Context(), party.Silently(party.SignIn(party.Site)))
	r.OK(err)
	if !bytes.Equal(response.Credential.ID, one.ID) {
		r.Error("level 2 was discovered without verification")
	}
	// Exclusion does not tell of level 3 without verification, but does with it.
	req := party.Registration(party.Site, "four")
	req.ExcludeList = []ctap.Descriptor{{ID: three.ID, Type: "public-key"}}
	_, err = r.A.MakeCredential(r.Context(), r.Authenticated(req))
	r.Wants(ctap.CredentialExcluded, err)
}

// checkWhoIsNamed wants the person to know whose passkey is used, in as few questions
// as that takes, and the platform to be told that they do.
func checkWhoIsNamed(r *rig) {
	r.SetPIN()
	r.Person.SetPINs(party.FirstPIN)
	ask := func(allowed ...party.Registered) (response *ctap.GetAssertionResponse, accounts []int) {
		r.Helper()
		r.Person.Asked()
		token, err := r.Platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, party.Site)
		r.OK(err)
		response, err = r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, allowed...), token))
		r.OK(err)
		for _, ask := range r.Person.Asked() {
			accounts = append(accounts, len(ask.Accounts))
		}
		return response, accounts
	}
	alice := r.Register(party.Site, "alice")
	for _, allowed := range [][]party.Registered{nil, {alice}} {
		response, accounts := ask(allowed...)
		alice.Verify(r.Rig, response)
		if response.UserSelected != (allowed == nil) || !slices.Equal(accounts, []int{1}) {
			r.Errorf("one account, %d allowed: selected %v, asked for %d", len(allowed), response.UserSelected, accounts)
		}
	}
	bob := r.Register(party.Site, "bob")
	response, accounts := ask(alice)
	alice.Verify(r.Rig, response)
	if response.UserSelected || !slices.Equal(accounts, []int{0}) {
		r.Errorf("one of two allowed: selected %v, asked for %d", response.UserSelected, accounts)
	}
	for choice, who := range []party.Registered{bob, alice} {
		r.Person.Choose(choice)
		response, accounts := ask()
		who.Verify(r.Rig, response)
		if !response.UserSelected || !slices.Equal(accounts, []int{0, 2}) {
			r.Errorf("two accounts: selected %v, asked for %d", response.UserSelected, accounts)
		}
	}
	// A registration's token names nobody: whoever is here is not the one meant.
	r.Person.Asked()
	_, err := r.Platform().TokenWithUV(r.Context(), ctap.PermissionMakeCredential, party.Site)
	r.OK(err)
	if asks := r.Person.Asked(); len(asks) != 1 || len(asks[0].Accounts) != 0 {
		r.Errorf("asked %+v", asks)
	}
}

// hmacSecret asks for the outputs of salts and decrypts them.
func (r *rig) hmacSecret(req *ctap.GetAssertionRequest, salts ...[]byte) []byte {
	r.Helper()
	shared, agreement, err := r.Platform().Agree(r.Context())
	r.OK(err)
	defer shared.Wipe()
	enc, err := shared.Encrypt(bytes.Join(salts, nil))
	r.OK(err)
	req.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, map[int]any{
		1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(r.Protocol),
	})}
	response, err := r.A.GetAssertion(r.Context(), req)
	r.OK(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.OK(err)
	var outputs struct {
		Secret []byte `cbor:"hmac-secret"`
	}
	r.OK(cbor.Unmarshal(data.Extensions, &outputs))
	plain, err := shared.Decrypt(outputs.Secret)
	r.OK(err)
	return plain.Reveal()
}

func checkHMACSecret(r *rig) {
	r.SetPIN()
	req := party.Registration(party.Site, "alice")
	req.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, true)}
	c := r.RegisterRequest(r.Authenticated(req))
	saltA, saltB := party.Challenge("salt a"), party.Challenge("salt b")
	var first []byte
	for _, r.Protocol = range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		both := r.hmacSecret(r.AuthenticatedSignIn(party.SignIn(party.Site, c)), saltA, saltB)
		if len(both) != 64 || bytes.Equal(both[:32], both[32:]) || bytes.Equal(both[:32], saltA) {
			r.Fatalf("outputs %x", both)
		}
		one := r.hmacSecret(r.AuthenticatedSignIn(party.SignIn(party.Site, c)), saltB)
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
	r.Person.SetPINs(party.FirstPIN)
	if prompted := r.hmacSecret(party.SignIn(party.Site, c), saltA, saltB); !bytes.Equal(first, prompted) {
		r.Error("the output depends on where the PIN was typed")
	}
	other := r.RegisterRequest(r.Authenticated(func() *ctap.MakeCredentialRequest {
		req := party.Registration(party.Site, "bob")
		req.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, true)}
		return req
	}()))
	if theirs := r.hmacSecret(r.AuthenticatedSignIn(party.SignIn(party.Site, other)), saltA, saltB); bytes.Equal(first, theirs) {
		r.Error("two credentials share their outputs")
	}
	r.badSalts(c)
}

func (r *rig) badSalts(c party.Registered) {
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
		shared, agreement, err := r.Platform().Agree(r.Context())
		r.OK(err)
		enc, err := shared.Encrypt(bad.salt)
		r.OK(err)
		enc, mac := bad.damage(enc, shared.Authenticate(enc))
		req := r.AuthenticatedSignIn(party.SignIn(party.Site, c))
		req.Extensions = ctap.Extensions{"hmac-secret": party.Raw(r.Rig, map[int]any{
			1: agreement.KeyAgreement, 2: enc, 3: mac, 4: uint(r.Protocol),
		})}
		if _, err := r.A.GetAssertion(r.Context(), req); ctap.StatusOf(err) != bad.want {
			r.Errorf("%s salts: got %v, want %v", name, err, bad.want)
		}
	}
}

func checkCancel(r *rig) {
	r.SetPIN()
	kept := r.Register(party.Site, "alice")
	r.Person.SetTouch(Hold)
	newcomer := party.Registration(party.Site, "mallory")
	for name, request := range map[string]func(context.Context) error{
		"registration": func(ctx context.Context) error {
			_, err := r.A.MakeCredential(ctx, newcomer)
			return err
		},
		"sign-in": func(ctx context.Context) error {
			_, err := r.A.GetAssertion(ctx, party.SignIn(party.Site, kept))
			return err
		},
		"selection": r.A.Selection,
		"reset":     r.A.Reset,
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
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	r.OK(err)
	kept.Verify(r.Rig, response)
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
	r.SetPIN()
	c := r.Register(party.Site, "alice")
	r.Person.Asked()
	req := party.Silently(party.SignIn(party.Site, party.Registered{ID: []byte("unknown")}, c))
	response, err := r.A.GetAssertion(r.Context(), req)
	r.OK(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.OK(err)
	r.WantFlags(data, 0)
	if c.Signed(response) || !bytes.Equal(response.Credential.ID, c.ID) {
		r.Error("the decoy is a signature, or another credential's")
	}
	req.AllowList = req.AllowList[:1]
	_, err = r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.NoCredentials, err)
	if len(r.Person.Asked()) != 0 {
		r.Error("a probe asked the person")
	}
	signed, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, c)))
	r.OK(err)
	if data := c.Verify(r.Rig, signed); data.SignCount != 1 {
		r.Errorf("the probe moved the counter to %d", data.SignCount)
	}
}

func checkChannels(r *rig) {
	r.SetPIN()
	r.Register(party.Site, "alice")
	r.Register(party.Site, "bob")
	silent := func() *ctap.GetAssertionRequest {
		return party.WithToken(party.Silently(party.SignIn(party.Site)), r.Token(ctap.PermissionGetAssertion, party.Site))
	}
	stranger := r.Open(r.T)
	_, err := r.A.GetAssertion(r.Context(), silent())
	r.OK(err)
	_, err = stranger.GetNextAssertion(r.Context())
	r.Wants(ctap.NotAllowed, err)
	_, err = r.A.GetNextAssertion(r.Context())
	r.OK(err)

	_, err = r.A.GetAssertion(r.Context(), silent())
	r.OK(err)
	_, err = r.A.GetInfo(r.Context()) // any command in between ends it
	r.OK(err)
	_, err = r.A.GetNextAssertion(r.Context())
	r.Wants(ctap.NotAllowed, err)

	manage := r.Token(ctap.PermissionCredentialManagement, "")
	_, err = ctap.ManageCredentials(r.Context(), r.A, manage, ctap.EnumerateCredentialsBegin, party.SiteParams())
	r.OK(err)
	next := &ctap.CredentialManagementRequest{Subcommand: ctap.EnumerateCredentialsGetNextCredential}
	_, err = stranger.CredentialManagement(r.Context(), next)
	r.Wants(ctap.NotAllowed, err)
	_, err = r.A.CredentialManagement(r.Context(), next)
	r.OK(err)
}

func checkManagement(r *rig) {
	r.SetPIN()
	alice, bob := r.Register(party.Site, "alice"), r.Register(party.Site, "bob")
	r.Register("other.example", "alice")
	call := func(token pinuv.Token, sub ctap.CredentialSubcommand, params *ctap.CredentialManagementParams) (*ctap.CredentialManagementResponse, error) {
		return ctap.ManageCredentials(r.Context(), r.A, token, sub, params)
	}
	all := r.Token(ctap.PermissionCredentialManagement, "")
	meta, err := call(all, ctap.GetCredsMetadata, nil)
	r.OK(err)
	if *meta.ExistingCount != 3 || *meta.RemainingCount == 0 {
		r.Errorf("metadata %d, %d", *meta.ExistingCount, *meta.RemainingCount)
	}
	rp, err := call(all, ctap.EnumerateRPsBegin, nil)
	r.OK(err)
	second, err := r.A.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: ctap.EnumerateRPsGetNextRP})
	r.OK(err)
	if ids := []string{rp.RP.ID, second.RP.ID}; *rp.TotalRPs != 2 || !slices.Equal(ids, []string{party.Site, "other.example"}) {
		r.Errorf("relying parties %v of %d", ids, *rp.TotalRPs)
	}
	creds, err := call(all, ctap.EnumerateCredentialsBegin, party.SiteParams())
	r.OK(err)
	if *creds.TotalCredentials != 2 || !bytes.Equal(creds.Credential.ID, bob.ID) || *creds.CredProtect != 1 {
		r.Errorf("credentials %+v", creds)
	}
	one := r.Token(ctap.PermissionCredentialManagement, "other.example")
	for _, sub := range []ctap.CredentialSubcommand{ctap.GetCredsMetadata, ctap.EnumerateRPsBegin} {
		_, err = call(one, sub, nil)
		r.Wants(ctap.PINAuthInvalid, err)
	}
	theirs := &ctap.CredentialManagementParams{Credential: &ctap.Descriptor{ID: alice.ID, Type: "public-key"}}
	_, err = call(one, ctap.DeleteCredential, theirs)
	r.Wants(ctap.PINAuthInvalid, err)
	r.changeCredentials(alice, bob)
}

func (r *rig) changeCredentials(alice, bob party.Registered) {
	r.Helper()
	all := r.Token(ctap.PermissionCredentialManagement, "")
	descriptor := func(c party.Registered) *ctap.Descriptor { return &ctap.Descriptor{ID: c.ID, Type: "public-key"} }
	_, err := ctap.ManageCredentials(r.Context(), r.A, all, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: descriptor(alice), User: &ctap.User{ID: []byte("id of alice"), Name: "Alice B."},
	})
	r.OK(err)
	_, err = ctap.ManageCredentials(r.Context(), r.A, all, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: descriptor(alice), User: &ctap.User{ID: []byte("another's"), Name: "Eve"},
	})
	r.Wants(ctap.InvalidParameter, err)
	_, err = ctap.ManageCredentials(r.Context(), r.A, all, ctap.DeleteCredential, &ctap.CredentialManagementParams{Credential: descriptor(bob)})
	r.OK(err)
	_, err = ctap.ManageCredentials(r.Context(), r.A, all, ctap.DeleteCredential, &ctap.CredentialManagementParams{Credential: descriptor(bob)})
	r.Wants(ctap.NoCredentials, err)
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	r.OK(err)
	alice.Verify(r.Rig, response)
	if response.User.Name != "Alice B." || response.User.DisplayName != "" {
		r.Errorf("user %+v", response.User)
	}
	_, err = r.A.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: ctap.GetCredsMetadata})
	r.Wants(ctap.PUATRequired, err)
	_, err = r.A.CredentialManagement(r.Context(), &ctap.CredentialManagementRequest{Subcommand: 0x33})
	r.Wants(ctap.InvalidSubcommand, err)
}

func checkReset(r *rig) {
	r.SetPIN()
	c := r.Register(party.Site, "alice")
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	r.Person.SetPINs(party.FirstPIN)
	r.Person.SetTouch(Deny)
	r.Wants(ctap.OperationDenied, r.A.Reset(r.Context()))
	r.Person.Asked()
	r.Person.SetTouch(Auto)
	r.OK(r.A.Reset(r.Context()))
	asks := r.Person.Asked()
	if len(asks) != 1 || asks[0].Lost != 1 || !slices.Equal(asks[0].Losses, []string{party.Site + ": alice"}) || (asks[0].Verify != nil) != r.Socket {
		r.Errorf("asked %+v", asks)
	}
	info, err := r.A.GetInfo(r.Context())
	r.OK(err)
	if info.Options["clientPin"] {
		r.Error("the PIN survived the reset")
	}
	r.OK(r.Platform().SetPIN(r.Context(), party.PIN(party.FirstPIN)))
	_, err = r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, c)))
	r.Wants(ctap.NoCredentials, err)
	_, err = ctap.ManageCredentials(r.Context(), r.A, r.Token(ctap.PermissionCredentialManagement, ""), ctap.EnumerateRPsBegin, nil)
	r.Wants(ctap.NoCredentials, err)
	c = r.Register(party.Site, "alice")
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, c)))
	r.OK(err)
	c.Verify(r.Rig, response)
}
