package site

import (
	"bytes"
	"crypto/rand"
	"fmt"

	relyingparty "github.com/go-webauthn/webauthn/webauthn"
)

// DefaultAccount is the account of whoever names none.
const DefaultAccount = "alice"

// Ours: bounds of what a visitor can make the site remember.
const (
	maxNameBytes = 64
	maxAccounts  = 100
)

// handleBytes is the length of a user handle, the most there may be (WebAuthn L3
// §5.4.3). It is random: it says nothing of the account.
const handleBytes = 64

// account is a user as go-webauthn sees one. Whoever hands it over holds the site's
// lock.
type account struct {
	name        string
	handle      []byte
	credentials []relyingparty.Credential
}

// open gives the account of that name; it is made where there is none.
func (s *Site) open(name string) (*account, error) {
	if a := s.named(name); a != nil {
		return a, nil
	}
	switch {
	case len(name) > maxNameBytes:
		return nil, fmt.Errorf("an account's name has at most %d bytes", maxNameBytes)
	case len(s.accounts) >= maxAccounts:
		return nil, fmt.Errorf("this site has room for %d accounts", maxAccounts)
	}
	a := &account{name: name, handle: make([]byte, handleBytes)}
	_, _ = rand.Read(a.handle) // never fails, by its documentation
	s.accounts = append(s.accounts, a)
	return a, nil
}

// named finds an account by name, or gives nil.
func (s *Site) named(name string) *account {
	for _, a := range s.accounts {
		if a.name == name {
			return a
		}
	}
	return nil
}

// holding finds an account by user handle, or gives nil.
func (s *Site) holding(handle []byte) *account {
	for _, a := range s.accounts {
		if bytes.Equal(a.handle, handle) {
			return a
		}
	}
	return nil
}

// update keeps what a sign-in has changed of a passkey.
func (a *account) update(signedIn *relyingparty.Credential) {
	for i, c := range a.credentials {
		if bytes.Equal(c.ID, signedIn.ID) {
			a.credentials[i] = *signedIn
		}
	}
}

// WebAuthnID is the user handle.
func (a *account) WebAuthnID() []byte { return a.handle }

// WebAuthnName is the account's name.
func (a *account) WebAuthnName() string { return a.name }

// WebAuthnDisplayName is the account's name.
func (a *account) WebAuthnDisplayName() string { return a.name }

// WebAuthnCredentials are the account's passkeys.
func (a *account) WebAuthnCredentials() []relyingparty.Credential { return a.credentials }
