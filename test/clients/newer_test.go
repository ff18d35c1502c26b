//go:build e2e && linux

package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// largeBlob keeps something beside a passkey, and finds it again by the passkey's site.
func (c *client) largeBlob(t *testing.T) {
	const site = "blobs.example"
	out := succeed(t, lines(digest("register"), site, "alice", base64.StdEncoding.EncodeToString([]byte("user"))), c.enter(),
		"fido2-cred", "-M", "-r", "-b", c.node, "es256")
	fields := strings.Fields(out)
	if key, err := base64.StdEncoding.DecodeString(fields[len(fields)-1]); err != nil || len(key) != sha256.Size {
		t.Fatalf("largeBlobKey of %d bytes, %v", len(key), err)
	}
	kept, found := filepath.Join(c.dir, "kept"), filepath.Join(c.dir, "found")
	content := bytes.Repeat([]byte("a certificate, perhaps; "), 100)
	check(t, os.WriteFile(kept, content, 0o600))
	succeed(t, "", c.enter(), "fido2-token", "-S", "-b", "-n", site, kept, c.node)
	succeed(t, "", c.enter(), "fido2-token", "-G", "-b", "-n", site, found, c.node)
	got, err := os.ReadFile(found)
	if check(t, err); !bytes.Equal(got, content) {
		t.Errorf("found %d bytes, kept %d", len(got), len(content))
	}
	succeed(t, "", c.enter(), "fido2-token", "-D", "-b", "-n", site, c.node)
	if _, err := run(t, "", c.enter(), "fido2-token", "-G", "-b", "-n", site, filepath.Join(c.dir, "again"), c.node); err == nil {
		t.Error("found what was deleted")
	}
}

// config switches alwaysUv, raises the least length of a PIN and has the PIN changed.
func (c *client) config(t *testing.T) {
	info := func(want ...string) {
		t.Helper()
		contains(t, succeed(t, "", nil, "fido2-token", "-I", c.node), want...)
	}
	succeed(t, "", c.enter(), "fido2-token", "-D", "-u", c.node)
	info("noalwaysUv", "U2F_V2")
	succeed(t, "", c.enter(), "fido2-token", "-S", "-u", c.node)
	info(" alwaysUv")
	succeed(t, "", c.enter(), "fido2-token", "-S", "-l", "8", c.node)
	info("minpinlen: 8\n")
	succeed(t, "", c.enter(), "fido2-token", "-S", "-f", c.node)
	out, err := run(t, lines(digest("sign in"), c.kept.rp), c.enter(), "fido2-assert", "-G", "-r", "-v", c.node)
	if err == nil {
		t.Error("signed in with a PIN that has to be changed")
	}
	contains(t, out, "FIDO_ERR_PIN_POLICY_VIOLATION")
	c.changePIN(t, "one of more than eight")
}

// u2f registers and signs in as programs of before CTAP 2 do.
func (c *client) u2f(t *testing.T) {
	made := credential{rp: "u2f.example", publicKey: filepath.Join(c.dir, "u2f.pem")}
	user := base64.StdEncoding.EncodeToString([]byte("user handle"))
	out := succeed(t, lines(digest("register"), made.rp, "alice", user), nil, "fido2-cred", "-M", "-u", c.node, "es256")
	if fields := strings.Fields(out); len(fields) < 7 || fields[2] != "fido-u2f" {
		t.Fatalf("made %q", out)
	}
	id, pem, _ := strings.Cut(succeed(t, out, nil, "fido2-cred", "-V"), "\n")
	check(t, os.WriteFile(made.publicKey, []byte(pem), 0o600))
	for range 2 {
		signed := succeed(t, lines(digest("sign in"), made.rp, id), nil, "fido2-assert", "-G", "-u", "-p", c.node)
		succeed(t, signed, nil, "fido2-assert", "-V", "-p", made.publicKey, "es256")
	}
	if _, err := run(t, lines(digest("sign in"), "other.example", id), nil, "fido2-assert", "-G", "-u", "-p", c.node); err == nil {
		t.Error("signed in to another site")
	}
}
