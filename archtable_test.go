// arch_test.go holds every package to this table.

package localpasskey_test

import "slices"

const modulePath = "github.com/localpasskey/localpasskey"

// Third-party modules that the table below names.
const (
	modCBOR     = "github.com/fxamacker/cbor/v2"
	modTPM      = "github.com/google/go-tpm"
	modBolt     = "go.etcd.io/bbolt"
	modCobra    = "github.com/spf13/cobra"
	modDBus     = "github.com/godbus/dbus/v5"
	modPurego   = "github.com/ebitengine/purego"
	modCircl    = "github.com/cloudflare/circl"
	modSys      = "golang.org/x/sys"
	modTerm     = "golang.org/x/term"
	modNet      = "golang.org/x/net"
	modWebAuthn = "github.com/go-webauthn/webauthn"
)

// demoProgram is the only program that may contain a relying party and start a
// software TPM.
const demoProgram = "cmd/localpasskey-demo"

// extensionProgram is run by macOS whenever a passkey is wanted: it holds no server, no
// store of another kind and no TPM.
const extensionProgram = "cmd/localpasskey-provider"

// row is what one package may import: packages of ours and modules of others.
// The standard library is open to all.
type row struct {
	ours   []string
	others []string
}

// table has a row for every package below internal and cmd; a row counts for the
// packages below it too, unless they have their own. Tests may import anything.
func table() map[string]row {
	words := []string{"internal/secret", "internal/cbor", "internal/cose", "internal/webauthn", "internal/pinuv"}
	calls := join(words, "internal/ctap")
	decision := join(calls, "internal/consent", "internal/credential", "internal/authenticator")
	doors := []string{"internal/ctaphid", "internal/uhid", "internal/socket", "internal/nativemsg", "internal/provider"}
	machine := []string{
		"internal/tpm", "internal/enclave", "internal/store",
		"internal/prompt", "internal/fingerprint", "internal/touchid", "internal/agent",
	}
	both := slices.Concat(decision, doors, machine)
	programs := []string{"internal/cli", "internal/manager", "internal/doctor"}

	t := map[string]row{
		// The decision. This, the words and ctap are what a reader audits.
		"internal/ctap":          {words, nil},
		"internal/consent":       {calls, nil},
		"internal/credential":    {calls, nil},
		"internal/management":    {join(calls, "internal/consent", "internal/credential"), nil},
		"internal/extension":     {join(calls, "internal/credential"), nil},
		"internal/largeblob":     {join(calls, "internal/consent"), nil},
		"internal/u2f":           {join(calls, "internal/consent", "internal/credential"), nil},
		"internal/config":        {join(calls, "internal/consent"), nil},
		"internal/authenticator": {join(calls, "internal/consent", "internal/credential", "internal/management", "internal/config", "internal/extension", "internal/largeblob", "internal/u2f"), nil},

		// Doors: each ends in a call on ctap.Authenticator and knows no more.
		"internal/ctaphid":   {calls, nil},
		"internal/uhid":      {calls, []string{modSys}},
		"internal/socket":    {join(calls, "internal/process"), []string{modSys}},
		"internal/nativemsg": {join(calls, "internal/client"), nil},
		// A web page's side of a ceremony, and which page asks.
		"internal/client": {join(calls, "internal/page"), []string{modNet}},
		"internal/page":   {calls, nil},
		// The macOS provider draws its own view and answers the system's calls.
		"internal/provider": {join(calls, "internal/macos"), nil},

		// Which programs ask: for people to read, whichever side has to tell them.
		"internal/process": {nil, []string{modSys}},

		// Machine and person: implement what the decision asks for.
		"internal/tpm":     {decision, []string{modTPM, modSys}},
		"internal/enclave": {join(decision, "internal/macos"), []string{modCircl, modSys}},
		"internal/store":   {decision, []string{modBolt, modSys}},
		"internal/prompt":  {join(decision, "internal/process"), []string{modSys}},
		"internal/agent":   {decision, nil},
		// The person is told on the desktop's bus, with texts made legible as prompts have them.
		"internal/notify":      {join(calls, "internal/prompt"), []string{modDBus}},
		"internal/fingerprint": {decision, []string{modDBus}},
		"internal/touchid":     {join(decision, "internal/macos", "internal/prompt"), nil},

		// What macOS offers, declared once: names and types, no decision.
		"internal/macos":         {nil, []string{modPurego}},
		"internal/macos/gesture": {join(calls, "internal/macos"), nil},

		// Programs' own: clients of the socket. The command line asks for a PIN, and shows
		// what sites chose, by the rules of prompt; it knows no key and no store.
		"internal/cli": {
			join(calls, "internal/socket", "internal/prompt", "internal/manager", "internal/doctor", "internal/inventory", "internal/demand", "internal/browsers", "internal/proof"),
			[]string{modCobra, modSys, modTerm},
		},
		// The page shows what sites chose by the rules of prompt.
		"internal/manager":   {join(calls, "internal/socket", "internal/prompt", "internal/inventory", "internal/demand"), []string{modSys}},
		"internal/inventory": {calls, nil},
		"internal/browsers":  {nil, nil}, "internal/places": {nil, nil},
		"internal/demand": {calls, nil},
		"internal/doctor": {join(calls, "internal/socket", "internal/browsers"), []string{modSys, modDBus}},
		// The demo plays everybody: platform, relying party, person and attacker.
		"internal/demo": {
			join(decision, "internal/daemon", "internal/socket", "internal/swtpm"),
			[]string{modWebAuthn, modTPM, modCobra, modSys, modTerm},
		},

		// What others check of a proof needs no TPM, and knows what a key of ours looks like.
		"internal/proof": {
			join(calls, "internal/tpm/attest", "internal/tpm/pinindex", "internal/tpm/policy", "internal/tpm/storage"),
			[]string{modTPM},
		},

		// Where both sides meet.
		// The daemon names, in the audit trail, the programs that hold its device.
		"internal/daemon": {join(both, "internal/process", "internal/page", "internal/proof"), []string{modSys, modDBus}},
		// The signed macOS app and its extension: the provider on the keychain.
		"internal/autofill":        {join(both, "internal/macos"), []string{modSys}},
		"internal/autofill/page":   {join(calls, "internal/provider", "internal/manager", "internal/prompt"), nil},
		"internal/autofill/window": {[]string{"internal/macos"}, nil},
		// A Mac without a signature: the authenticator in the program itself.
		"internal/local":        {join(decision, "internal/enclave", "internal/store"), nil},
		"internal/local/native": {join(decision, "internal/enclave", "internal/local", "internal/macos", "internal/touchid"), nil},
		// Only a Mac can tell: it asks macOS itself.
		"internal/maccheck": {join(decision, "internal/macos", "internal/enclave", "internal/touchid"), []string{modPurego}},
		"cmd":               {slices.Concat(both, programs, []string{"internal/daemon", "internal/system", "internal/logind", "internal/notify", "internal/browsers", "internal/process", "internal/page", "internal/autofill", "internal/local", "internal/local/native", "internal/places", "internal/macos", "internal/maccheck"}), []string{modCobra, modSys, modTerm}},
		demoProgram: {
			slices.Concat(both, programs, []string{"internal/daemon", "internal/demo", "internal/swtpm"}),
			[]string{modCobra, modSys, modTerm},
		},

		// Packs the extension's files.
		"packaging/extension": {nil, nil},
		// Assembles the macOS app, and must name its class as the extension does.
		"packaging/macos/bundle": {[]string{"internal/provider"}, nil},
		// Who sits at the machine.
		"internal/logind": {nil, []string{modDBus}},

		// One daemon for every user of the machine.
		"internal/system": {join(calls, "internal/daemon", "internal/socket", "internal/tpm", "internal/prompt"), []string{modSys}},

		// Starts the separate program swtpm; for tests, the demo and test/ alone.
		"internal/swtpm": {nil, []string{modTPM, modSys}},
	}
	for _, w := range words {
		t[w] = row{words, nil}
	}
	t["internal/cbor"] = row{nil, []string{modCBOR}}
	for _, kit := range testKits() {
		t[kit] = row{slices.Concat(decision, testKits()), []string{modSys, modDBus}}
	}
	t["internal/enclave/securitytest"] = row{join(decision, "internal/enclave", "internal/macos"), nil}
	return t
}

// testKits are contract suites, scripted users and what else tests share: only
// tests and test/ import them.
func testKits() []string {
	return []string{
		"internal/keystest", "internal/storetest", "internal/ctaptest", "internal/ctaptest/hidtest", "internal/ctaptest/party", "internal/ctaptest/blobs", "internal/ctaptest/signals",
		"internal/ctaptest/transcript", "internal/swtpm/manufacturer", "internal/enclave/securitytest",
		"internal/prompt/ptytest", "internal/prompt/pinentry/pinentrytest",
		"internal/logind/logindtest", "internal/notify/notifytest", "internal/fingerprint/fprinttest",
	}
}
