package ctaptest

import (
	"bytes"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

func (r *rig) retries() (pinRetries, uvRetries uint, powerCycle bool) {
	r.Helper()
	p, err := r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	r.ok(err)
	u, err := r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: ctap.GetUVRetries})
	r.ok(err)
	return *p.PINRetries, *u.UVRetries, *p.PowerCycleState
}

func (r *rig) wrong(want ctap.Status) {
	r.Helper()
	_, err := r.platform().TokenWithPIN(r.Context(), pin(wrongPIN), ctap.PermissionGetAssertion, site)
	r.wants(want, err)
}

func checkPINLife(r *rig) {
	for _, short := range []string{"", "123", "åäö"} {
		r.wants(ctap.PINPolicyViolation, r.platform().SetPIN(r.Context(), pin(short)))
	}
	_, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN), ctap.PermissionGetAssertion, site)
	r.wants(ctap.PINNotSet, err)
	r.wants(ctap.PINNotSet, r.platform().ChangePIN(r.Context(), pin(firstPIN), pin(otherPIN)))
	r.setPIN()
	r.wants(ctap.PINAuthInvalid, r.platform().SetPIN(r.Context(), pin(otherPIN)))
	c := r.register(site, "alice")

	r.protocol = pinuv.One
	r.wants(ctap.PINInvalid, r.platform().ChangePIN(r.Context(), pin(wrongPIN), pin(otherPIN)))
	if pinRetries, uvRetries, _ := r.retries(); pinRetries != 7 || uvRetries != 2 {
		r.Errorf("after one wrong PIN: %d, %d", pinRetries, uvRetries)
	}
	r.wants(ctap.PINPolicyViolation, r.platform().ChangePIN(r.Context(), pin(firstPIN), pin("abc")))
	r.ok(r.platform().ChangePIN(r.Context(), pin(firstPIN), pin(otherPIN)))
	if pinRetries, uvRetries, _ := r.retries(); pinRetries != 8 || uvRetries != 3 {
		r.Errorf("after the right PIN: %d, %d", pinRetries, uvRetries)
	}
	_, err = r.platform().LegacyToken(r.Context(), pin(firstPIN))
	r.wants(ctap.PINInvalid, err)
	// A CTAP 2.0 token names no RP; its first use binds it.
	token, err := r.platform().LegacyToken(r.Context(), pin(otherPIN))
	r.ok(err)
	response, err := r.a.GetAssertion(r.Context(), withToken(signIn(site, c), token))
	r.ok(err)
	c.verify(r, response)
	_, err = r.a.GetAssertion(r.Context(), withToken(signIn(site, c), token))
	r.wants(ctap.PINAuthInvalid, err) // one use
	longest := strings.Repeat("x", 63)
	r.ok(r.platform().ChangePIN(r.Context(), pin(otherPIN), pin(longest)))
	_, err = r.platform().TokenWithPIN(r.Context(), pin(longest), ctap.PermissionGetAssertion, site)
	r.ok(err)
}

func checkLockout(r *rig) {
	r.setPIN()
	for round := range 2 {
		for _, want := range []ctap.Status{ctap.PINInvalid, ctap.PINInvalid, ctap.PINAuthBlocked} {
			r.wrong(want)
		}
		left := uint(5 - 3*round)
		if pinRetries, uvRetries, cycle := r.retries(); pinRetries != left || uvRetries != 0 || !cycle {
			r.Errorf("after three wrong PINs in a row: %d, %d, %v", pinRetries, uvRetries, cycle)
		}
		_, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN), ctap.PermissionGetAssertion, site)
		r.wants(ctap.PINAuthBlocked, err)
		_, err = r.platform().TokenWithUV(r.Context(), ctap.PermissionGetAssertion, site)
		r.wants(ctap.UVBlocked, err)
		r.PowerCycle(r.T)
		r.a = r.Open(r.T)
	}
	r.wrong(ctap.PINInvalid)
	r.wrong(ctap.PINBlocked)
	for range 2 {
		_, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN), ctap.PermissionGetAssertion, site)
		r.wants(ctap.PINBlocked, err)
		r.PowerCycle(r.T)
		r.a = r.Open(r.T)
	}
	if pinRetries, _, _ := r.retries(); pinRetries != 0 {
		r.Errorf("%d retries left of a locked PIN", pinRetries)
	}
	r.wants(ctap.PINBlocked, r.platform().ChangePIN(r.Context(), pin(firstPIN), pin(otherPIN)))
	_, err := r.a.MakeCredential(r.Context(), registration(site, "alice"))
	r.wants(ctap.PUATRequired, err)
	r.ok(r.a.Reset(r.Context())) // a locked PIN must not be a dead end
	r.setPIN()
	r.register(site, "alice")
}

func checkTokens(r *rig) {
	r.setPIN()
	c := r.register(site, "alice")
	signInWith := func(token pinuv.Token) error {
		_, err := r.a.GetAssertion(r.Context(), withToken(signIn(site, c), token))
		return err
	}
	r.wants(ctap.PINAuthInvalid, signInWith(r.token(ctap.PermissionMakeCredential, site)))
	r.wants(ctap.PINAuthInvalid, signInWith(r.token(ctap.PermissionCredentialManagement, "")))
	r.wants(ctap.PINAuthInvalid, signInWith(r.token(ctap.PermissionGetAssertion, "other.example")))
	old := r.token(ctap.PermissionGetAssertion, site)
	fresh := r.token(ctap.PermissionGetAssertion, site)
	r.wants(ctap.PINAuthInvalid, signInWith(old))
	r.ok(signInWith(fresh))
	r.wants(ctap.PINAuthInvalid, signInWith(fresh)) // spent
	unplugged := r.token(ctap.PermissionGetAssertion, site)
	r.PowerCycle(r.T)
	r.a = r.Open(r.T)
	r.wants(ctap.PINAuthInvalid, signInWith(unplugged))
	changed := r.token(ctap.PermissionGetAssertion, site)
	r.ok(r.platform().ChangePIN(r.Context(), pin(firstPIN), pin(otherPIN)))
	r.wants(ctap.PINAuthInvalid, signInWith(changed))

	for permissions, want := range map[ctap.Permission]ctap.Status{
		0:                                ctap.InvalidParameter,
		ctap.PermissionBioEnrollment:     ctap.UnauthorizedPermission,
		ctap.PermissionMakeCredential:    ctap.MissingParameter, // no RP
		ctap.PermissionConfiguration | 8: ctap.UnauthorizedPermission,
	} {
		_, err := r.platform().TokenWithPIN(r.Context(), pin(otherPIN), permissions, "")
		r.wants(want, err)
	}
	for sub, want := range map[ctap.PINSubcommand]ctap.Status{0: ctap.MissingParameter, 0x44: ctap.InvalidSubcommand} {
		_, err := r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{Subcommand: sub})
		r.wants(want, err)
	}
}

// checkPeerKeys sends key agreement keys that no honest platform has.
func checkPeerKeys(r *rig) {
	curve, err := cbor.Marshal(map[int]any{1: 2, 3: -25, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)})
	r.ok(err)
	var key cose.Key
	r.wants(ctap.InvalidParameter, ctap.StatusOf(cbor.Unmarshal(curve, &key)))
	theirs, err := r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: pinuv.Two, Subcommand: ctap.GetKeyAgreement})
	r.ok(err)
	before := theirs.KeyAgreement.X
	r.setPIN()
	r.wrong(ctap.PINInvalid)
	theirs, err = r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: pinuv.One, Subcommand: ctap.GetKeyAgreement})
	r.ok(err)
	if bytes.Equal(before, theirs.KeyAgreement.X) {
		r.Error("the key agreement key survived a wrong PIN")
	}
	for protocol, want := range map[pinuv.Protocol]ctap.Status{0: ctap.MissingParameter, 3: ctap.InvalidParameter} {
		_, err = r.a.ClientPIN(r.Context(), &ctap.ClientPINRequest{PINUVAuthProtocol: protocol, Subcommand: ctap.GetKeyAgreement})
		r.wants(want, err)
	}
}
