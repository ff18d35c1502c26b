package site

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"
)

func asked(query string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/?"+query, http.NoBody)
}

func TestRegistrationOptions(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		account      string
		verification protocol.UserVerificationRequirement
		conveyance   protocol.ConveyancePreference
	}{
		"":                         {"alice", protocol.VerificationRequired, protocol.PreferDirectAttestation},
		"account=bob":              {"bob", protocol.VerificationRequired, protocol.PreferDirectAttestation},
		"verification=preferred":   {"alice", protocol.VerificationPreferred, protocol.PreferDirectAttestation},
		"verification=discouraged": {"alice", protocol.VerificationDiscouraged, protocol.PreferDirectAttestation},
		"attestation=none":         {"alice", protocol.VerificationRequired, protocol.PreferNoAttestation},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			options, err := newTestSite(t).beginRegistration(asked(query))
			if err != nil {
				t.Fatal(err)
			}
			got := options.Response
			if got.User.Name != want.account || got.AuthenticatorSelection.UserVerification != want.verification || got.Attestation != want.conveyance {
				t.Errorf("%+v", got)
			}
			if len(got.Challenge) < 16 || got.RelyingParty.ID != Host || got.AuthenticatorSelection.ResidentKey != protocol.ResidentKeyRequirementRequired {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Who registers again is told what is there; others have nothing to do with it.
func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	for _, name := range []string{"alice", "bob"} {
		a, err := s.open(name)
		if err != nil {
			t.Fatal(err)
		}
		a.credentials = []relyingparty.Credential{{ID: []byte(name + "'s")}}
	}
	for _, name := range []string{"alice", "bob"} {
		made, err := s.beginRegistration(asked("account=" + name))
		if err != nil {
			t.Fatal(err)
		}
		if listed := made.Response.CredentialExcludeList; len(listed) != 1 || string(listed[0].CredentialID) != name+"'s" {
			t.Errorf("%s excludes %s", name, listed)
		}
		named, err := s.beginSignIn(asked("account=" + name))
		if err != nil {
			t.Fatal(err)
		}
		if listed := named.Response.AllowedCredentials; len(listed) != 1 || string(listed[0].CredentialID) != name+"'s" {
			t.Errorf("%s allows %s", name, listed)
		}
	}
	open, err := s.beginSignIn(asked("discoverable=1&verification=preferred&account=nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if len(open.Response.AllowedCredentials) != 0 || open.Response.UserVerification != protocol.VerificationPreferred {
		t.Errorf("%+v", open.Response)
	}
}

func TestAccountsAreFoundAgain(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	alice, err := s.open("alice")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := s.open("bob")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.open("alice"); err != nil || again != alice || s.named("alice") != alice {
		t.Errorf("%v, %v", again, err)
	}
	if s.holding(bob.handle) != bob || s.holding(nil) != nil || s.holding(make([]byte, handleBytes)) != nil {
		t.Error("a user handle leads to somebody else")
	}
	bob.credentials = []relyingparty.Credential{{ID: []byte{1}}, {ID: []byte{2}}}
	bob.update(&relyingparty.Credential{ID: []byte{2}, Authenticator: relyingparty.Authenticator{SignCount: 7}})
	if bob.credentials[0].Authenticator.SignCount != 0 || bob.credentials[1].Authenticator.SignCount != 7 {
		t.Errorf("%+v", bob.credentials)
	}
	for i := range maxAccounts {
		_, err = s.open("visitor " + strconv.Itoa(i))
	}
	if err == nil || len(s.accounts) != maxAccounts {
		t.Errorf("%d accounts, %v", len(s.accounts), err)
	}
}

// A challenge is good for one answer, whatever was begun meanwhile, and those that
// nobody answers are forgotten.
func TestCeremoniesEndOnce(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	var challenges []string
	for i := range maxPending + 1 {
		options, err := s.beginRegistration(asked(fmt.Sprintf("account=%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		challenges = append(challenges, options.Response.Challenge.String())
	}
	for i, challenge := range challenges {
		session, err := s.take(challenge)
		switch {
		case i == 0:
			if err == nil {
				t.Error("the oldest of too many was kept")
			}
		case err != nil:
			t.Error(err)
		case s.holding(session.UserID).name != strconv.Itoa(i):
			t.Errorf("ceremony %d is of account %q", i, s.holding(session.UserID).name)
		}
		if _, err := s.take(challenge); err == nil {
			t.Error("taken twice")
		}
	}
}
