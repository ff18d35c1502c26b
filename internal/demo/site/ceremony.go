package site

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"

	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// maxPending is how many ceremonies may be under way; those that were begun before
// are forgotten, as pages that were closed leave them behind.
const maxPending = 16

// wishes is what a visitor asks of a ceremony, in the query.
type wishes struct {
	account      string
	discoverable bool
	verification protocol.UserVerificationRequirement
	conveyance   protocol.ConveyancePreference
}

func wishesOf(r *http.Request) (wishes, error) {
	query := r.URL.Query()
	w := wishes{
		account:      cmp.Or(query.Get("account"), DefaultAccount),
		discoverable: query.Has("discoverable"),
		verification: cmp.Or(protocol.UserVerificationRequirement(query.Get("verification")), protocol.VerificationRequired),
		conveyance:   cmp.Or(protocol.ConveyancePreference(query.Get("attestation")), protocol.PreferDirectAttestation),
	}
	switch w.verification {
	case protocol.VerificationRequired, protocol.VerificationPreferred, protocol.VerificationDiscouraged:
	default:
		return wishes{}, fmt.Errorf("verification is required, preferred or discouraged, not %q", w.verification)
	}
	switch w.conveyance {
	case protocol.PreferNoAttestation, protocol.PreferDirectAttestation:
	default:
		return wishes{}, fmt.Errorf("attestation is none or direct, not %q", w.conveyance)
	}
	return w, nil
}

func (s *Site) beginRegistration(r *http.Request) (*protocol.CredentialCreation, error) {
	want, err := wishesOf(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.open(want.account)
	if err != nil {
		return nil, err
	}
	var exclude []protocol.CredentialDescriptor
	for _, c := range a.credentials {
		exclude = append(exclude, c.Descriptor())
	}
	options, session, err := s.party.BeginRegistration(a,
		relyingparty.WithExclusions(exclude),
		relyingparty.WithConveyancePreference(want.conveyance),
		relyingparty.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   want.verification,
		}))
	if err != nil {
		return nil, err
	}
	s.await(session)
	return options, nil
}

func (s *Site) finishRegistration(r *http.Request) (*Receipt, error) {
	parsed, err := protocol.ParseCredentialCreationResponse(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, err := s.take(parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return nil, err
	}
	a := s.holding(session.UserID)
	if a == nil {
		return nil, errors.New("a sign-in was begun, not a registration")
	}
	credential, err := s.party.CreateCredential(a, *session, parsed)
	if err != nil {
		return nil, err
	}
	a.credentials = append(a.credentials, *credential)
	got := receipt(a, parsed.Response.AttestationObject.AuthData.Flags, credential)
	got.Format, got.Attestation = credential.AttestationFormat, credential.AttestationType
	return got, nil
}

// beginSignIn names the account's passkeys, or with ?discoverable=1 lets whoever
// has one come.
func (s *Site) beginSignIn(r *http.Request) (*protocol.CredentialAssertion, error) {
	want, err := wishesOf(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	verification := relyingparty.WithUserVerification(want.verification)
	var options *protocol.CredentialAssertion
	var session *relyingparty.SessionData
	if want.discoverable {
		options, session, err = s.party.BeginDiscoverableLogin(verification)
	} else if a := s.named(want.account); a == nil {
		return nil, fmt.Errorf("nobody here is called %q", want.account)
	} else {
		options, session, err = s.party.BeginLogin(a, verification)
	}
	if err != nil {
		return nil, err
	}
	s.await(session)
	return options, nil
}

func (s *Site) finishSignIn(r *http.Request) (*Receipt, error) {
	parsed, err := protocol.ParseCredentialRequestResponse(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, err := s.take(parsed.Response.CollectedClientData.Challenge)
	if err != nil {
		return nil, err
	}
	a, credential, err := s.validate(session, parsed)
	if err != nil {
		return nil, err
	}
	if credential.Authenticator.CloneWarning {
		return nil, errors.New("the counter did not grow: this may be a copy of the passkey")
	}
	a.update(credential)
	return receipt(a, parsed.Response.AuthenticatorData.Flags, credential), nil
}

// validate finds whose passkey came and has go-webauthn check it.
func (s *Site) validate(session *relyingparty.SessionData, parsed *protocol.ParsedCredentialAssertionData) (*account, *relyingparty.Credential, error) {
	if len(session.UserID) > 0 {
		a := s.holding(session.UserID)
		credential, err := s.party.ValidateLogin(a, *session, parsed)
		return a, credential, err
	}
	var a *account
	_, credential, err := s.party.ValidatePasskeyLogin(func(_, handle []byte) (relyingparty.User, error) {
		if a = s.holding(handle); a == nil {
			return nil, errors.New("nobody here has this user handle")
		}
		return a, nil
	}, *session, parsed)
	return a, credential, err
}

// await keeps a ceremony that was begun.
func (s *Site) await(session *relyingparty.SessionData) {
	if len(s.pending) >= maxPending {
		s.pending = slices.Delete(s.pending, 0, 1)
	}
	s.pending = append(s.pending, session)
}

// take gives the ceremony of that challenge; it can be finished once.
func (s *Site) take(challenge string) (*relyingparty.SessionData, error) {
	for i, session := range s.pending {
		if session.Challenge == challenge {
			s.pending = slices.Delete(s.pending, i, i+1)
			return session, nil
		}
	}
	return nil, errors.New("nothing was begun with this challenge")
}

func receipt(a *account, flags protocol.AuthenticatorFlags, c *relyingparty.Credential) *Receipt {
	got := &Receipt{
		Account: a.name, Counter: c.Authenticator.SignCount,
		UP: flags.HasUserPresent(), UV: flags.HasUserVerified(),
		BE: flags.HasBackupEligible(), BS: flags.HasBackupState(),
	}
	if id := c.Authenticator.AAGUID; len(id) == len(webauthn.AAGUID{}) {
		got.AAGUID = webauthn.AAGUID(id).String()
	}
	return got
}
