package ctaptest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// opened decrypts a member of getInfo as python-fido2 and YubiKit do.
func (r *rig) opened(token pinuv.Token, name string, sealed []byte) []byte {
	r.Helper()
	if len(sealed) != 32 {
		r.Fatalf("%s has %d bytes", name, len(sealed))
	}
	key, err := hkdf.Key(sha256.New, token.Secret().Reveal(), make([]byte, 32), name, 16)
	r.OK(err)
	block, err := aes.NewCipher(key)
	r.OK(err)
	plain := make([]byte, 16)
	cipher.NewCBCDecrypter(block, sealed[:16]).CryptBlocks(plain, sealed[16:])
	return plain
}

// told is what a holder of token reads in getInfo.
func (r *rig) told(token pinuv.Token) (identifier, state []byte) {
	r.Helper()
	info := r.Info()
	return r.opened(token, "encIdentifier", info.EncIdentifier), r.opened(token, "encCredStoreState", info.EncCredStoreState)
}

func checkPersistentToken(r *rig) {
	if info := r.Info(); info.EncIdentifier != nil || info.EncCredStoreState != nil {
		r.Error("something to read for a token that there is not")
	}
	r.SetPIN()
	c := r.Register(party.Site, "alice")
	token := r.Token(ctap.PermissionPersistentReadOnly, "")
	if again := r.Token(ctap.PermissionPersistentReadOnly, ""); !again.Secret().Equal(token.Secret()) {
		r.Error("the second who asked got another token")
	}
	list := func(token pinuv.Token) error {
		_, err := ctap.ManageCredentials(r.Context(), r.A, token, ctap.GetCredsMetadata, nil)
		return err
	}
	r.OK(list(token))
	r.OK(list(pinuv.NewToken(pinuv.One, token.Secret().Clone()))) // whatever the protocol
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	_, err := ctap.ManageCredentials(r.Context(), r.A, token, ctap.EnumerateRPsBegin, nil)
	r.OK(err)
	found, err := ctap.ManageCredentials(r.Context(), r.A, token, ctap.EnumerateCredentialsBegin, party.SiteParams())
	r.OK(err)
	if !bytes.Equal(found.Credential.ID, c.ID) {
		r.Errorf("found %x", found.Credential.ID)
	}
	params := &ctap.CredentialManagementParams{Credential: &ctap.Descriptor{ID: c.ID, Type: "public-key"}, User: &ctap.User{ID: []byte("id of alice"), Name: "eve"}}
	for _, sub := range []ctap.CredentialSubcommand{ctap.DeleteCredential, ctap.UpdateUserInformation} {
		_, err = ctap.ManageCredentials(r.Context(), r.A, token, sub, params)
		r.Wants(ctap.PINAuthInvalid, err)
	}
	_, err = r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, c), token))
	r.Wants(ctap.PINAuthInvalid, err)
	r.Wants(ctap.PINAuthInvalid, ctap.Configure(r.Context(), r.A, token, ctap.ToggleAlwaysUV, nil))
	r.storeState(token)

	// A wrong PIN leaves it, a changed one does not.
	r.Wants(ctap.PINInvalid, r.Platform().ChangePIN(r.Context(), party.PIN(party.WrongPIN), party.PIN(party.OtherPIN)))
	r.OK(list(token))
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.OtherPIN)))
	r.Wants(ctap.PINAuthInvalid, list(token))
	if info := r.Info(); info.EncIdentifier != nil {
		r.Error("the token is gone, and what it reads is not")
	}
}

// storeState: what getInfo tells looks different each time, stays the same beneath,
// and changes with the passkeys and with nothing else.
func (r *rig) storeState(token pinuv.Token) {
	r.Helper()
	if a, b := r.Info(), r.Info(); bytes.Equal(a.EncIdentifier, b.EncIdentifier) || bytes.Equal(a.EncCredStoreState, b.EncCredStoreState) {
		r.Error("two answers of getInfo can be linked")
	}
	identifier, before := r.told(token)
	signIn := r.AuthenticatedSignIn(party.SignIn(party.Site))
	_, err := r.A.GetAssertion(r.Context(), signIn)
	r.OK(err)
	if _, after := r.told(token); !bytes.Equal(before, after) {
		r.Error("a sign-in changed the state")
	}
	c := r.Register(party.Site, "bob")
	manage := r.Token(ctap.PermissionCredentialManagement, "")
	params := &ctap.CredentialManagementParams{Credential: &ctap.Descriptor{ID: c.ID, Type: "public-key"}, User: &ctap.User{ID: []byte("id of bob"), Name: "rob"}}
	for _, sub := range []ctap.CredentialSubcommand{0, ctap.UpdateUserInformation, ctap.DeleteCredential} {
		if sub != 0 {
			_, err = ctap.ManageCredentials(r.Context(), r.A, manage, sub, params)
			r.OK(err)
		}
		same, after := r.told(token)
		if bytes.Equal(before, after) || !bytes.Equal(identifier, same) {
			r.Errorf("after sub-command %d: state %x and %x, identifier %x and %x", sub, before, after, identifier, same)
		}
		before = after
	}
}
