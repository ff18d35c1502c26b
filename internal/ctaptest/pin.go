package ctaptest

import (
	"bytes"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

func (r *rig) retries() (pinRetries, uvRetries uint, powerCycle bool) {
	r.Helper()
	p, err := r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	r.OK(err)
	u, err := r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: ctap.GetUVRetries})
	r.OK(err)
	return *p.PINRetries, *u.UVRetries, *p.PowerCycleState
}

func (r *rig) wrong(want ctap.Status) {
	r.Helper()
	_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.WrongPIN), ctap.PermissionGetAssertion, party.Site)
	r.Wants(want, err)
}

func checkPINLife(r *rig) {
	for _, short := range []string{"", "123", "åäö"} {
		r.Wants(ctap.PINPolicyViolation, r.Platform().SetPIN(r.Context(), party.PIN(short)))
	}
	_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.FirstPIN), ctap.PermissionGetAssertion, party.Site)
	r.Wants(ctap.PINNotSet, err)
	r.Wants(ctap.PINNotSet, r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.OtherPIN)))
	r.SetPIN()
	r.Wants(ctap.PINAuthInvalid, r.Platform().SetPIN(r.Context(), party.PIN(party.OtherPIN)))
	c := r.Register(party.Site, "alice")

	r.Protocol = pinuv.One
	r.Wants(ctap.PINInvalid, r.Platform().ChangePIN(r.Context(), party.PIN(party.WrongPIN), party.PIN(party.OtherPIN)))
	if pinRetries, uvRetries, _ := r.retries(); pinRetries != 7 || uvRetries != 2 {
		r.Errorf("after one wrong PIN: %d, %d", pinRetries, uvRetries)
	}
	r.Wants(ctap.PINPolicyViolation, r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN("abc")))
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.OtherPIN)))
	if pinRetries, uvRetries, _ := r.retries(); pinRetries != 8 || uvRetries != 3 {
		r.Errorf("after the right PIN: %d, %d", pinRetries, uvRetries)
	}
	_, err = r.Platform().LegacyToken(r.Context(), party.PIN(party.FirstPIN))
	r.Wants(ctap.PINInvalid, err)
	// A CTAP 2.0 token names no RP; its first use binds it.
	token, err := r.Platform().LegacyToken(r.Context(), party.PIN(party.OtherPIN))
	r.OK(err)
	response, err := r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, c), token))
	r.OK(err)
	c.Verify(r.Rig, response)
	_, err = r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, c), token))
	r.Wants(ctap.PINAuthInvalid, err) // one use
	longest := strings.Repeat("x", 63)
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.OtherPIN), party.PIN(longest)))
	_, err = r.Platform().TokenWithPIN(r.Context(), party.PIN(longest), ctap.PermissionGetAssertion, party.Site)
	r.OK(err)
}

func checkLockout(r *rig) {
	r.SetPIN()
	for round := range 2 {
		for _, want := range []ctap.Status{ctap.PINInvalid, ctap.PINInvalid, ctap.PINAuthBlocked} {
			r.wrong(want)
		}
		left := uint(5 - 3*round)
		if pinRetries, uvRetries, cycle := r.retries(); pinRetries != left || uvRetries != 0 || !cycle {
			r.Errorf("after three wrong PINs in a row: %d, %d, %v", pinRetries, uvRetries, cycle)
		}
		_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.FirstPIN), ctap.PermissionGetAssertion, party.Site)
		r.Wants(ctap.PINAuthBlocked, err)
		_, err = r.Platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, party.Site)
		r.Wants(ctap.UVBlocked, err)
		r.PowerCycle(r.T)
		r.A = r.Open(r.T)
	}
	r.wrong(ctap.PINInvalid)
	r.wrong(ctap.PINBlocked)
	for range 2 {
		_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.FirstPIN), ctap.PermissionGetAssertion, party.Site)
		r.Wants(ctap.PINBlocked, err)
		r.PowerCycle(r.T)
		r.A = r.Open(r.T)
	}
	if pinRetries, _, _ := r.retries(); pinRetries != 0 {
		r.Errorf("%d retries left of a locked PIN", pinRetries)
	}
	r.Wants(ctap.PINBlocked, r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.OtherPIN)))
	_, err := r.A.MakeCredential(r.Context(), party.Registration(party.Site, "alice"))
	r.Wants(ctap.PUATRequired, err)
	r.OK(r.A.Reset(r.Context())) // a locked PIN must not be a dead end
	r.SetPIN()
	r.Register(party.Site, "alice")
}

func checkTokens(r *rig) {
	r.SetPIN()
	c := r.Register(party.Site, "alice")
	signInWith := func(token pinuv.Token) error {
		_, err := r.A.GetAssertion(r.Context(), party.WithToken(party.SignIn(party.Site, c), token))
		return err
	}
	r.Wants(ctap.PINAuthInvalid, signInWith(r.Token(ctap.PermissionMakeCredential, party.Site)))
	r.Wants(ctap.PINAuthInvalid, signInWith(r.Token(ctap.PermissionCredentialManagement, "")))
	r.Wants(ctap.PINAuthInvalid, signInWith(r.Token(ctap.PermissionGetAssertion, "other.example")))
	old := r.Token(ctap.PermissionGetAssertion, party.Site)
	fresh := r.Token(ctap.PermissionGetAssertion, party.Site)
	r.Wants(ctap.PINAuthInvalid, signInWith(old))
	r.OK(signInWith(fresh))
	r.Wants(ctap.PINAuthInvalid, signInWith(fresh)) // spent
	unplugged := r.Token(ctap.PermissionGetAssertion, party.Site)
	r.PowerCycle(r.T)
	r.A = r.Open(r.T)
	r.Wants(ctap.PINAuthInvalid, signInWith(unplugged))
	changed := r.Token(ctap.PermissionGetAssertion, party.Site)
	r.OK(r.Platform().ChangePIN(r.Context(), party.PIN(party.FirstPIN), party.PIN(party.OtherPIN)))
	r.Wants(ctap.PINAuthInvalid, signInWith(changed))

	for permissions, want := range map[ctap.Permission]ctap.Status{
		0:                                ctap.InvalidParameter,
		ctap.PermissionBioEnrollment:     ctap.UnauthorizedPermission,
		ctap.PermissionMakeCredential:    ctap.MissingParameter, // no RP
		0x40 | 4:                         ctap.InvalidParameter, // a persistent token is nothing else
		ctap.PermissionConfiguration | 8: ctap.UnauthorizedPermission,
	} {
		_, err := r.Platform().TokenWithPIN(r.Context(), party.PIN(party.OtherPIN), permissions, "")
		r.Wants(want, err)
	}
	for sub, want := range map[ctap.PINSubcommand]ctap.Status{0: ctap.MissingParameter, 0x44: ctap.InvalidSubcommand} {
		_, err := r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: sub})
		r.Wants(want, err)
	}
}

// checkPeerKeys sends key agreement keys that no honest platform has.
func checkPeerKeys(r *rig) {
	curve, err := cbor.Marshal(map[int]any{1: 2, 3: -25, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)})
	r.OK(err)
	var key cose.Key
	r.Wants(ctap.InvalidParameter, ctap.StatusOf(cbor.Unmarshal(curve, &key)))
	theirs, err := r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: pinuv.Two, Subcommand: ctap.GetKeyAgreement})
	r.OK(err)
	before := theirs.KeyAgreement.X
	r.SetPIN()
	r.wrong(ctap.PINInvalid)
	theirs, err = r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: pinuv.One, Subcommand: ctap.GetKeyAgreement})
	r.OK(err)
	if bytes.Equal(before, theirs.KeyAgreement.X) {
		r.Error("the key agreement key survived a wrong PIN")
	}
	for protocol, want := range map[pinuv.Protocol]ctap.Status{0: ctap.MissingParameter, 3: ctap.InvalidParameter} {
		_, err = r.A.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: protocol, Subcommand: ctap.GetKeyAgreement})
		r.Wants(want, err)
	}
}
