// Package signals holds a device to the contract for what relying parties say of their
// passkeys; ctaptest runs it with the rest. It refuses to know hardware.
package signals

import (
	"bytes"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
)

// Checks are the parts of the contract, by name.
func Checks() map[string]func(*party.Rig) {
	all := map[string]func(*party.Rig){}
	for name, check := range map[string]func(*rig){
		"signals": checkSignals, "signal refusals": checkRefusals, "hide": checkHide,
	} {
		all[name] = func(r *party.Rig) { check(&rig{r}) }
	}
	return all
}

// rig is a platform at work on a device, with what the checks share.
type rig struct{ *party.Rig }

const elsewhere = "elsewhere.example"

// signal sends one and holds the answer to what should have changed.
func (r *rig) signal(req ctap.SignalRequest, want ctap.SignalResponse) {
	r.Helper()
	got, err := ctap.Call[ctap.SignalResponse](r.Context(), r.A, ctap.CommandSignal, req)
	r.OK(err)
	if *got != want {
		r.Errorf("%s has changed %+v, want %+v", req.Signal, *got, want)
	}
}

// offers holds to whose passkeys the site finds by itself.
func (r *rig) offers(names ...string) {
	r.Helper()
	r.Person.Asked()
	_, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site)))
	if len(names) == 0 {
		r.Wants(ctap.NoCredentials, err)
		return
	}
	r.OK(err)
	asks := r.Person.Asked()
	last := asks[len(asks)-1]
	if len(last.Accounts) != len(names) {
		r.Fatalf("offered %+v, want %v", last.Accounts, names)
	}
	for i, name := range names {
		if last.Accounts[i].Name != name {
			r.Errorf("offered %+v, want %v", last.Accounts, names)
		}
	}
}

func (r *rig) hidden() (ids [][]byte) {
	r.Helper()
	all, err := ctap.ReadPasskeys(r.Context(), r.A)
	r.OK(err)
	for _, p := range all {
		if p.Hidden {
			ids = append(ids, p.CredentialID)
		}
	}
	return ids
}

func checkSignals(r *rig) {
	if !r.Socket {
		r.wantsNoVendor()
		return
	}
	r.SetPIN()
	alice, bob := r.Register(party.Site, "alice"), r.Register(party.Site, "bob")
	other := r.Register(elsewhere, "alice")
	aliceHandle := party.Registration(party.Site, "alice").User.ID

	// A passkey that its site does not know is not offered, and is where it was.
	unknown := ctap.SignalRequest{Signal: ctap.SignalUnknownCredential, RPID: party.Site, CredentialID: alice.ID}
	r.signal(unknown, ctap.SignalResponse{Hidden: 1})
	r.signal(unknown, ctap.SignalResponse{})
	r.offers("bob")
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn(party.Site, alice)))
	r.OK(err)
	alice.Verify(r.Rig, response)
	excluding := party.Registration(party.Site, "carol")
	excluding.ExcludeList = []ctap.Descriptor{{ID: alice.ID, Type: ctap.PublicKeyType}}
	_, err = r.A.MakeCredential(r.Context(), r.Authenticated(excluding))
	r.Wants(ctap.CredentialExcluded, err)

	// Nobody speaks for another site, or another account.
	r.signal(ctap.SignalRequest{Signal: ctap.SignalUnknownCredential, RPID: party.Site, CredentialID: other.ID}, ctap.SignalResponse{})
	accepted := func(ids ...[]byte) ctap.SignalRequest {
		return ctap.SignalRequest{Signal: ctap.SignalAllAcceptedCredentials, RPID: party.Site, UserID: aliceHandle, Accepted: ids}
	}
	r.signal(accepted(bob.ID), ctap.SignalResponse{})
	if ids := r.hidden(); len(ids) != 1 || !bytes.Equal(ids[0], alice.ID) {
		r.Errorf("hidden: %x", ids)
	}

	// What is accepted comes back, what is not goes.
	r.signal(accepted([]byte("of another device"), alice.ID), ctap.SignalResponse{Restored: 1})
	r.offers("bob", "alice")
	r.signal(accepted(), ctap.SignalResponse{Hidden: 1})
	r.offers("bob")

	// Names change for the one account, also of one that is hidden.
	details := ctap.SignalRequest{Signal: ctap.SignalCurrentUserDetails, RPID: party.Site, UserID: aliceHandle, Name: "alicia", DisplayName: "Dr. Alicia"}
	r.signal(details, ctap.SignalResponse{Renamed: 1})
	r.signal(details, ctap.SignalResponse{})
	r.signal(accepted(alice.ID), ctap.SignalResponse{Restored: 1})
	r.offers("bob", "alicia")
}

// wantsNoVendor: what pages say reaches the socket only, through a client that has checked
// for whom the page may speak.
func (r *rig) wantsNoVendor() {
	r.Helper()
	for _, command := range []ctap.Command{ctap.CommandSignal, ctap.CommandHide} {
		_, err := r.A.Vendor(r.Context(), command, nil)
		r.Wants(ctap.InvalidCommand, err)
	}
}

func checkRefusals(r *rig) {
	if !r.Socket {
		r.wantsNoVendor()
		return
	}
	id, user := []byte{1}, []byte{2}
	for name, req := range map[string]ctap.SignalRequest{
		"no signal":           {RPID: party.Site, CredentialID: id},
		"another signal":      {Signal: "deleteAll", RPID: party.Site},
		"no relying party":    {Signal: ctap.SignalUnknownCredential, CredentialID: id},
		"no credential":       {Signal: ctap.SignalUnknownCredential, RPID: party.Site},
		"credential and user": {Signal: ctap.SignalUnknownCredential, RPID: party.Site, CredentialID: id, UserID: user},
		"unknown with a list": {Signal: ctap.SignalUnknownCredential, RPID: party.Site, CredentialID: id, Accepted: [][]byte{id}},
		"no user":             {Signal: ctap.SignalAllAcceptedCredentials, RPID: party.Site, Accepted: [][]byte{id}},
		"list and credential": {Signal: ctap.SignalAllAcceptedCredentials, RPID: party.Site, UserID: user, CredentialID: id},
		"list and a name":     {Signal: ctap.SignalAllAcceptedCredentials, RPID: party.Site, UserID: user, Name: "eve"},
		"nobody's details":    {Signal: ctap.SignalCurrentUserDetails, RPID: party.Site, Name: "eve"},
		"details and a list":  {Signal: ctap.SignalCurrentUserDetails, RPID: party.Site, UserID: user, Accepted: [][]byte{id}},
		"a long user handle":  {Signal: ctap.SignalCurrentUserDetails, RPID: party.Site, UserID: make([]byte, 65)},
	} {
		if _, err := ctap.Call[ctap.SignalResponse](r.Context(), r.A, ctap.CommandSignal, req); ctap.StatusOf(err) != ctap.InvalidParameter {
			r.Errorf("%s: %v", name, err)
		}
	}
}

func checkHide(r *rig) {
	if !r.Socket {
		r.wantsNoVendor()
		return
	}
	r.SetPIN()
	alice := r.Register(party.Site, "alice")
	hide := func(id []byte, hidden bool) error {
		_, err := ctap.Call[struct{}](r.Context(), r.A, ctap.CommandHide, ctap.HideRequest{CredentialID: id, Hidden: hidden})
		return err
	}
	r.Wants(ctap.NoCredentials, hide([]byte("not here"), true))
	r.OK(hide(alice.ID, true))
	r.offers()
	r.OK(hide(alice.ID, false))
	r.offers("alice")
}
