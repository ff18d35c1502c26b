package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.mustRegister("octocat")
	object, err := webauthn.ParseAttestationObject(r.AttestationObject)
	if err != nil || object.Format != "none" || !bytes.Equal(object.Statement, []byte{0xa0}) {
		t.Fatalf("%+v, %v", object, err)
	}
	data, err := webauthn.ParseAuthenticatorData(object.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	if object.AuthData[32] != 0x5d || data.SignCount != 0 || data.Attested.AAGUID != (webauthn.AAGUID{1, 2, 3}) || data.RPIDHash != webauthn.RPIDHash("example.com") {
		t.Errorf("flags %#x, count %d, AAGUID %s", object.AuthData[32], data.SignCount, data.Attested.AAGUID)
	}
	if r.RPID != "example.com" || !bytes.Equal(r.ClientDataHash, hash("registration")) || len(r.ID) != 32 {
		t.Errorf("answered %+v", r)
	}
	want := provider.Identity{RPID: "example.com", UserName: "octocat", ID: r.ID, UserHandle: []byte("handle of octocat")}
	if len(w.identities) != 1 || fmt.Sprint(w.identities[0]) != fmt.Sprint(want) {
		t.Errorf("the system offers %v", w.identities)
	}
	if !slices.Equal(w.reasons, []string{"register example.com octocat"}) {
		t.Errorf("asked %q", w.reasons)
	}
	w.consistent("registered")
	order := strings.Join(w.steps, ", ")
	if !strings.HasSuffix(order, "create key, put entry, read entries, list keys, replace identities, complete registration") {
		t.Errorf("in this order: %s", order)
	}
	if len(w.told) != 0 || len(w.cancelled) != 0 {
		t.Errorf("told %q, cancelled %v", w.told, w.cancelled)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.mustRegister("octocat")
	s := newSite(t, r)
	w.steps = nil
	for range 3 {
		a := w.assert(r.ID)
		if a == nil {
			t.Fatalf("not signed in: %v", w.cancelled)
		}
		s.verify(t, a)
		if string(a.UserHandle) != "handle of octocat" || a.RPID != "example.com" {
			t.Errorf("answered %+v", a)
		}
	}
	if s.count != 3 || w.reasons[1] != "sign in example.com octocat" {
		t.Errorf("count %d, asked %q", s.count, w.reasons)
	}
	if got := strings.Join(w.steps[:6], ", "); got != "read entries, lock, read entries, put entry, sign, complete assertion" {
		t.Errorf("in this order: %s", got)
	}
}

// TestVerificationPreference: the original ignores it.
func TestVerificationPreference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		preference provider.Preference
		screen     error
		flags      byte // 0: refused
		asked      bool
	}{
		{provider.Required, nil, 0x5d, true},
		{provider.Preferred, nil, 0x5d, true},
		{"", nil, 0x5d, true},
		{"nonsense", nil, 0x5d, true},
		{provider.Discouraged, nil, 0x59, false},
		{provider.Preferred, ctap.NotAllowed, 0x59, true},
		{provider.Required, ctap.NotAllowed, 0, true},
		{provider.Preferred, ctap.OperationDenied, 0, true},
		{provider.Preferred, ctap.UVInvalid, 0, true},
	} {
		w := newWorld(t)
		w.verify = c.screen
		req := registration("octocat")
		req.Verification = c.preference
		r := w.register(req)
		if (r != nil) != (c.flags != 0) || len(w.reasons) > 0 != c.asked {
			t.Errorf("%q, the person %v: answered %v, asked %q", c.preference, c.screen, r, w.reasons)
			continue
		}
		if r == nil {
			w.consistent("refused")
			continue
		}
		object, err := webauthn.ParseAttestationObject(r.AttestationObject)
		if err != nil || object.AuthData[32] != c.flags {
			t.Errorf("%q: flags %#x, %v", c.preference, object.AuthData[32], err)
		}
		newSite(t, r).verify(t, w.assert(r.ID)) // signing takes a finger whatever was preferred
	}
}

// TestAlgorithms: the original ignores them.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		algorithms []int64
		ok         bool
	}{{[]int64{-7}, true}, {[]int64{-8, -257, -7}, true}, {nil, true}, {[]int64{-257}, false}, {[]int64{-8, -35}, false}} {
		w := newWorld(t)
		req := registration("octocat")
		req.Algorithms = c.algorithms
		if r := w.register(req); (r != nil) != c.ok {
			t.Errorf("%v: %v", c.algorithms, r)
		}
		if !c.ok {
			w.cancelledWith("other algorithms", provider.Failed)
			if len(w.told) != 1 || len(w.reasons) != 0 {
				t.Errorf("told %q, asked %q", w.told, w.reasons)
			}
		}
	}
}

// TestExcluded: the original ignores them. The site learns of a passkey only once
// the person allows it.
func TestExcluded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.mustRegister("octocat")
	for name, c := range map[string]struct {
		screen error
		want   provider.Code
	}{"allowed": {nil, provider.Excluded}, "refused": {ctap.OperationDenied, provider.UserCanceled}} {
		w.restart()
		w.reasons, w.verify = nil, c.screen
		req := registration("hubot")
		req.Excluded = [][]byte{hash("unknown"), first.ID}
		w.register(req)
		w.cancelledWith(name, c.want)
		if !slices.Equal(w.reasons, []string{"already registered example.com octocat"}) || len(w.keys) != 1 {
			t.Errorf("%s: asked %q, %d keys", name, w.reasons, len(w.keys))
		}
	}
	w.restart()
	w.verify = nil
	req := registration("hubot")
	req.RPID, req.Excluded = "other.example", [][]byte{first.ID}
	if w.register(req) == nil {
		t.Errorf("another site's passkey excludes: %v", w.cancelled)
	}
}

// TestReplaced: the original piles passkeys up when somebody registers again.
func TestReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, other := w.mustRegister("octocat"), w.mustRegister("hubot")
	w.reasons = nil
	renewed := w.mustRegister("octocat")
	if w.reasons[0] != "replace example.com octocat" {
		t.Errorf("asked %q", w.reasons)
	}
	w.consistent("replaced")
	if w.keys[string(old.ID)] != nil || w.keys[string(other.ID)] == nil || w.keys[string(renewed.ID)] == nil {
		t.Error("another passkey than the one before was replaced")
	}
	w.steps = nil
	newSite(t, renewed).verify(t, w.assert(renewed.ID))
	if slices.Contains(w.steps, "delete entry") {
		t.Error("what was replaced is deleted again")
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*provider.RegistrationRequest){
		"no site": func(r *provider.RegistrationRequest) { r.RPID = "" },
		"no hash": func(r *provider.RegistrationRequest) { r.ClientDataHash = nil },
		"short":   func(r *provider.RegistrationRequest) { r.ClientDataHash = []byte{1} },
		"no user": func(r *provider.RegistrationRequest) { r.UserHandle = nil },
		"long":    func(r *provider.RegistrationRequest) { r.UserHandle = make([]byte, 65) },
	} {
		w := newWorld(t)
		req := registration("octocat")
		change(&req)
		w.register(req)
		w.cancelledWith(name, provider.Failed)
		if len(w.keys)+len(w.reasons) != 0 {
			t.Errorf("%s: asked %q", name, w.reasons)
		}
	}
	w := newWorld(t)
	w.provider().Assert(t.Context(), provider.AssertionRequest{RPID: "example.com"}, w, request{w})
	w.cancelledWith("sign-in without a hash", provider.Failed)
}

// TestSilent: nothing is done without a person, and the system is told so.
func TestSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.provider().AssertSilently(t.Context(), request{w})
	w.cancelledWith("sign-in", provider.InteractionRequired)
	w.cancelled = nil
	w.provider().RegisterSilently(t.Context(), request{w})
	w.cancelledWith("registration", provider.InteractionRequired)
	if len(w.steps) != 0 || len(w.told) != 0 {
		t.Errorf("it did %q and told %q", w.steps, w.told)
	}
}

// TestList: the original says "not supported".
func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.mustRegister("octocat"), w.mustRegister("hubot")
	ask := func(allowed ...[]byte) *provider.Assertion {
		w.restart()
		w.reasons = nil
		w.provider().Assert(t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: hash("x"), Allowed: allowed}, w, request{w})
		if len(w.asserted) == 0 {
			return nil
		}
		return &w.asserted[0]
	}
	w.pick = func(accounts []string) (int, error) { return slices.Index(accounts, "octocat"), nil }
	if a := ask(); a == nil || !bytes.Equal(a.ID, one.ID) {
		t.Errorf("chosen %v, cancelled %v", a, w.cancelled)
	} else {
		newSite(t, one).verify(t, a)
	}
	w.pick = nil
	if a := ask(two.ID, hash("unknown")); a == nil || !bytes.Equal(a.ID, two.ID) || w.reasons[0] != "choose for example.com: hubot" {
		t.Errorf("of those allowed %v, asked %q", a, w.reasons)
	}
	ask(hash("unknown"))
	w.cancelledWith("none of those allowed", provider.NotFound)
	w.provider().ReportUnknown(t.Context(), "example.com", one.ID)
	if ask(); w.reasons[0] != "choose for example.com: hubot" {
		t.Errorf("a hidden passkey is in the list: %q", w.reasons)
	}
	if a := ask(one.ID); a == nil {
		t.Error("a hidden passkey that the site names is not there")
	}
	for name, pick := range map[string]func([]string) (int, error){
		"none":    func([]string) (int, error) { return 0, ctap.OperationDenied },
		"beyond":  func([]string) (int, error) { return 7, nil },
		"below 0": func([]string) (int, error) { return -1, nil },
	} {
		w.pick = pick
		ask()
		w.cancelledWith(name, provider.UserCanceled)
	}
	w.pick = func([]string) (int, error) { return 0, nil }
	w.atPick = func() { clear(w.entries) }
	ask()
	w.cancelledWith("deleted while the person chose", provider.NotFound)
}

// TestNotThere: what the system offers and is not here is offered no more.
func TestNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.mustRegister("octocat")
	clear(w.entries)
	w.restart()
	w.assert(r.ID)
	w.cancelledWith("unknown", provider.NotFound)
	if len(w.identities) != 0 {
		t.Errorf("still offered: %v", w.identities)
	}
	w.restart()
	w.provider().Assert(t.Context(), provider.AssertionRequest{RPID: "evil.example", ClientDataHash: hash("x"), ID: r.ID}, w, request{w})
	w.cancelledWith("for another site", provider.NotFound)
}

// TestErrors: which error the system is told, and what the person.
func TestErrors(t *testing.T) {
	t.Parallel()
	problem := &ctap.Problem{Status: ctap.UVBlocked, What: "Touch ID is locked", Hint: "use the password"}
	for name, c := range map[string]struct {
		sign error
		want provider.Code
		told string
	}{
		"refused":   {ctap.OperationDenied, provider.UserCanceled, ""},
		"withdrawn": {context.Canceled, provider.UserCanceled, ""},
		"late":      {context.DeadlineExceeded, provider.UserCanceled, ""},
		"locked":    {problem, provider.Failed, "Touch ID is locked\nhint: use the password"},
		"no key":    {ctap.NoCredentials, provider.NotFound, ""},
		"other":     {errScripted, provider.Failed, "It did not work. `LocalPasskey log` in the Terminal tells why."},
	} {
		w := newWorld(t)
		r := w.mustRegister("octocat")
		w.restart()
		w.sign = c.sign
		w.assert(r.ID)
		w.cancelledWith(name, c.want)
		if got := strings.Join(w.told, "|"); got != c.told {
			t.Errorf("%s: told %q, want %q", name, got, c.told)
		}
		w.sign = nil
		s := newSite(t, r)
		s.count = 1 // the number that was not used is gone
		s.verify(t, w.assert(r.ID))
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.mustRegister("octocat")
	w.restart()
	w.panicAtSign = true
	w.assert(r.ID)
	w.cancelledWith("a panic", provider.Failed)
}

// TestReports: a site's word renames, hides and brings back, at that site only, and
// the system's list follows.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.mustRegister("octocat"), w.mustRegister("hubot")
	p := w.provider()
	p.ReportUpdate(t.Context(), "example.com", []byte("handle of octocat"), "mona")
	p.ReportUpdate(t.Context(), "evil.example", []byte("handle of hubot"), "pwned")
	if names := w.offeredNames(); !slices.Equal(names, []string{"hubot", "mona"}) {
		t.Errorf("offered %q", names)
	}
	p.ReportUnknown(t.Context(), "evil.example", two.ID)
	p.ReportUnknown(t.Context(), "example.com", two.ID)
	if ids := w.offered(); len(ids) != 1 || !bytes.Equal(ids[0], one.ID) {
		t.Errorf("offered %x", ids)
	}
	p.ReportAllAccepted(t.Context(), "example.com", []byte("handle of hubot"), [][]byte{two.ID})
	if len(w.offered()) != 2 {
		t.Errorf("what is accepted did not come back: %x", w.offered())
	}
	p.ReportAllAccepted(t.Context(), "example.com", []byte("handle of octocat"), nil)
	if ids := w.offered(); len(ids) != 1 || !bytes.Equal(ids[0], two.ID) {
		t.Errorf("offered %x", ids)
	}
	if len(w.keys) != 2 || len(w.entries) != 2 {
		t.Error("a site's word deleted a passkey")
	}
	list, err := p.Passkeys(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, k := range list {
		if k.Hidden != bytes.Equal(k.ID, one.ID) || k.Broken {
			t.Errorf("listed as %+v", k)
		}
	}
	w.steps = nil
	p.ReportAllAccepted(t.Context(), "example.com", []byte("handle of octocat"), nil)
	if slices.Contains(w.steps, "replace identities") {
		t.Error("the list was replaced for nothing")
	}
	before := fmt.Sprint(w.entries)
	for n := 1; n <= 3; n++ {
		w.restart()
		w.failAt = []int{n}
		p.ReportUpdate(t.Context(), "example.com", []byte("handle of octocat"), "never")
		if fmt.Sprint(w.entries) != before {
			t.Errorf("a report that failed at step %d changed something", n)
		}
	}
}

func (w *world) offeredNames() []string {
	var names []string
	for _, i := range w.identities {
		names = append(names, i.UserName)
	}
	slices.Sort(names)
	return names
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.mustRegister("octocat"), w.mustRegister("hubot")
	if err := w.provider().Delete(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	w.consistent("deleted")
	if len(w.keys) != 1 || w.keys[string(two.ID)] == nil {
		t.Error("another passkey was deleted")
	}
	if err := w.provider().Delete(t.Context(), one.ID); err != nil {
		t.Errorf("twice: %v", err)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustRegister("octocat")
	w.identities = nil
	w.provider().Configure(t.Context(), request{w})
	if w.configured != 1 || len(w.cancelled) != 0 {
		t.Errorf("completed %d times, cancelled %v", w.configured, w.cancelled)
	}
	w.consistent("configured")
}

// TestDamagedEntry: an entry that cannot be read harms no other, and keeps its key.
func TestDamagedEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad, good := w.mustRegister("octocat"), w.mustRegister("hubot")
	for _, value := range [][]byte{nil, {0xff}, {0xa0}, {0xa1, 1, 2}} {
		w.entries[string(bad.ID)] = value
		if err := w.provider().Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.keys) != 2 || len(w.identities) != 1 || w.assert(good.ID) == nil {
			t.Errorf("%x: %d keys, %d offered", value, len(w.keys), len(w.identities))
		}
		w.restart()
		w.assert(bad.ID)
		w.cancelledWith("damaged", provider.NotFound)
	}
	delete(w.keys, string(good.ID))
	list, err := w.provider().Passkeys(t.Context())
	if err != nil || len(list) != 1 || !list[0].Broken {
		t.Errorf("a passkey without its key is listed as %+v, %v", list, err)
	}
}
