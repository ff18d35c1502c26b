//go:build e2e && linux

package clients

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// TestPAM has pam_u2f let a user in. Its own program for enrolling takes registrations with a
// certificate only, so libfido2's makes the key; what PAM does with it is pam_u2f's alone.
func TestPAM(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: []string{scriptedProgram}})
		return
	}
	for name, c := range map[string]struct {
		flags   []string // of the authenticator
		made    []string // of fido2-cred; with -r pam_u2f finds the key by the relying party
		options string   // of the key's line in pam_u2f's file
		pin     string   // typed into PAM's question, "" for nowhere
	}{
		"PIN typed into PAM": {flags: []string{"-uv=false"}, options: "+presence+pin", pin: "vier 4 ä"},
		"own prompt":         {flags: []string{"-pin", "vier 4 ä"}, options: "+presence+verification"},
		"presence only":      {flags: []string{"-always-uv=false"}, options: "+presence"},
		"discoverable":       {flags: []string{"-pin", "vier 4 ä"}, made: []string{"-r"}, options: "+presence+verification"},
	} {
		t.Run(name, func(t *testing.T) {
			k := plug(t, t.TempDir(), c.flags...)
			enrolled := client{node: k.path, dir: t.TempDir()}
			if c.options != "+presence" {
				enrolled.setPIN(t)
			}
			enrolled.pin = c.pin // our own prompt spares libfido2 the question
			key := enrolled.register(t, c.made...)
			if c.made != nil {
				key.id = "*"
			}
			service := pamService(t, key, c.options)
			signIn := func(pin string) (string, error) {
				return run(t, pin+"\n", nil, "pamtester", service, "root", "authenticate")
			}
			out, err := signIn(c.pin)
			check(t, err)
			contains(t, out, "successfully authenticated")
			if asked := strings.Contains(out, "enter the PIN"); asked != (c.pin != "") {
				t.Errorf("PAM asks for a PIN: %t", asked)
			}
			if c.pin != "" {
				if out, err := signIn("0000"); err == nil {
					t.Errorf("a wrong PIN lets in: %s", out)
				}
			}
			k.pull(t, unix.SIGTERM)
			plug(t, t.TempDir(), c.flags...)
			if out, err := signIn(c.pin); err == nil {
				t.Errorf("another authenticator lets in: %s", out)
			}
		})
	}
}

// pamService makes a service of PAM's that asks pam_u2f for this key, and gives its name.
func pamService(t *testing.T, key credential, options string) string {
	t.Helper()
	content, err := os.ReadFile(key.publicKey)
	check(t, err)
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatalf("no public key in %q", content)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	check(t, err)
	point, err := parsed.(*ecdsa.PublicKey).Bytes()
	check(t, err)
	keys := filepath.Join(t.TempDir(), "keys")
	check(t, os.WriteFile(keys, []byte("root:"+key.id+","+base64.StdEncoding.EncodeToString(point[1:])+",es256,"+options+"\n"), 0o600))
	const service = "localpasskey-test"
	module := "auth required pam_u2f.so authfile=" + keys + " origin=" + key.rp + " appid=" + key.rp + "\naccount required pam_permit.so\n"
	check(t, os.WriteFile("/etc/pam.d/"+service, []byte(module), 0o600))
	return service
}
