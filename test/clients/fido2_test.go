//go:build e2e && linux

package clients

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// TestFIDO2Tools drives libfido2's programs, and so libfido2, with the PIN typed into
// them: the authenticator has no prompt of its own for it. The subtests go on where the
// one before stopped.
func TestFIDO2Tools(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: []string{scriptedProgram}})
		return
	}
	state := t.TempDir()
	k := plug(t, state, "-uv=false")
	c := client{node: k.path, dir: t.TempDir()}
	t.Run("list", func(t *testing.T) {
		contains(t, succeed(t, "", nil, "fido2-token", "-L"), k.path+": vendor=0xf1d0, product=0x0001")
	})
	t.Run("info", c.info)
	t.Run("no PIN, no credential", c.refusedWithoutPIN)
	t.Run("set PIN", c.setPIN)
	t.Run("credential", func(t *testing.T) { c.ceremony(t, "-v") })
	t.Run("resident credential", func(t *testing.T) { c.ceremony(t, "-r", "-v") })
	t.Run("hmac-secret", c.hmacSecret)
	t.Run("wrong PIN", c.wrongPIN)
	t.Run("change PIN", func(t *testing.T) { c.changePIN(t, "a longer one, of forty characters: 012345") })
	t.Run("manage", c.manage)
	t.Run("large blob", c.largeBlob)
	t.Run("config", c.config)
	t.Run("pulled and plugged in again", func(t *testing.T) {
		k.pull(t, unix.SIGTERM)
		if present(c.node) {
			t.Errorf("the authenticator has ended, and left %s", c.node)
		}
		k = plug(t, state, "-uv=false")
		c.node = k.path
		c.assert(t, c.kept, "-r", "-v")
	})
	t.Run("killed", func(t *testing.T) {
		k := plug(t, t.TempDir())
		k.pull(t, unix.SIGKILL)
		eventually(t, "no node", func() bool { return !present(k.path) })
	})
	k.pull(t, unix.SIGTERM)
	t.Run("presence only", func(t *testing.T) {
		c := client{dir: t.TempDir(), node: plug(t, t.TempDir(), "-always-uv=false").path}
		c.ceremony(t)
		c.ceremony(t, "-r")
		c.u2f(t)
	})
}

// client is what these subtests know of the authenticator.
type client struct {
	node string
	dir  string // where its public keys are
	pin  string // "" before there is one
	kept credential
}

// credential is what a relying party keeps.
type credential struct {
	rp, id    string // id in base64
	publicKey string // file
}

// enter is the dialogue in which the PIN is typed, where there is one.
func (c *client) enter() []line {
	if c.pin == "" {
		return nil
	}
	return []line{{"Enter PIN for " + c.node + ": ", c.pin}}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func lines(all ...string) string { return strings.Join(all, "\n") + "\n" }

func (c *client) info(t *testing.T) {
	out := succeed(t, "", nil, "fido2-token", "-I", c.node)
	contains(t, out,
		"proto: 0x02\n",
		"caps: 0x0d (wink, cbor, nomsg)\n",
		"version strings: FIDO_2_1, FIDO_2_0\n",
		"transport strings: internal, usb\n",
		"algorithms: es256 (public-key), es384 (public-key)\n",
		"maxmsgsiz: 1650\n",
		"pin protocols: 2, 1\n",
		"hmac-secret",
		"noclientPin",
		"noplat",
		"credMgmt",
		"alwaysUv",
		"nomakeCredUvNotRqd",
	)
}

func (c *client) refusedWithoutPIN(t *testing.T) {
	ask := []line{{"Enter PIN for " + c.node + ": ", "1234"}}
	out, err := run(t, lines(digest("register"), "early.example", "alice", "YQ=="), ask, "fido2-cred", "-M", c.node)
	if err == nil {
		t.Error("made a credential without a PIN")
	}
	contains(t, out, "FIDO_ERR_PIN_NOT_SET")
}

func (c *client) setPIN(t *testing.T) {
	c.pin = "vier 4 ä"
	succeed(t, "", []line{
		{"Enter new PIN for " + c.node + ": ", c.pin},
		{"Enter the same PIN again: ", c.pin},
	}, "fido2-token", "-S", c.node)
	contains(t, succeed(t, "", nil, "fido2-token", "-I", c.node), "pin retries: 8\n", " clientPin")
}

// ceremony registers and signs in, each verified by libfido2.
func (c *client) ceremony(t *testing.T, flags ...string) {
	t.Helper()
	c.kept = c.register(t, flags...)
	c.assert(t, c.kept, flags...)
}

func (c *client) register(t *testing.T, flags ...string) credential {
	t.Helper()
	name := "rp" + strings.Join(flags, "")
	made := credential{rp: name + ".example", publicKey: filepath.Join(c.dir, name+".pem")}
	user := base64.StdEncoding.EncodeToString([]byte("user handle"))
	out := succeed(t, lines(digest("register"), made.rp, "alice", user), c.enter(),
		"fido2-cred", append(append([]string{"-M"}, flags...), c.node, "es256")...)
	if fields := strings.Fields(out); len(fields) < 6 || fields[2] != "packed" {
		t.Fatalf("made %q", out)
	}
	verify := []string{"-V"}
	for _, f := range flags {
		if f == "-v" || f == "-h" {
			verify = append(verify, f)
		}
	}
	verified := succeed(t, out, nil, "fido2-cred", verify...)
	id, pem, ok := strings.Cut(verified, "\n")
	if !ok || !strings.HasPrefix(pem, "-----BEGIN PUBLIC KEY-----\n") {
		t.Fatalf("verified %q", verified)
	}
	made.id = id
	check(t, os.WriteFile(made.publicKey, []byte(pem), 0o600))
	return made
}

// assert signs in; without -r the credential is named, with it found.
func (c *client) assert(t *testing.T, with credential, flags ...string) {
	t.Helper()
	input := []string{digest("sign in"), with.rp, with.id}
	verify := []string{"-V", "-p"}
	for _, f := range flags {
		if f == "-r" {
			input = input[:2]
		} else {
			verify = append(verify, f)
		}
	}
	out := succeed(t, lines(input...), c.enter(), "fido2-assert", append(append([]string{"-G", "-p"}, flags...), c.node)...)
	succeed(t, out, nil, "fido2-assert", append(verify, with.publicKey, "es256")...)
	// A signature of something else must not verify.
	other := strings.Replace(out, digest("sign in"), digest("something else"), 1)
	if _, err := run(t, other, nil, "fido2-assert", append(verify, with.publicKey, "es256")...); err == nil {
		t.Error("a signature of something else was taken for right")
	}
}

// One salt gives one secret, as whoever unlocks a disk with it relies on.
func (c *client) hmacSecret(t *testing.T) {
	made := c.register(t, "-h", "-v")
	secret := func(salt string) string {
		t.Helper()
		out := succeed(t, lines(digest("unlock"), made.rp, made.id, salt), c.enter(),
			"fido2-assert", "-G", "-h", "-v", c.node)
		succeed(t, out, nil, "fido2-assert", "-V", "-h", "-v", made.publicKey, "es256")
		fields := strings.Fields(out)
		value, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
		if err != nil || len(fields) != 5 || len(value) != sha256.Size {
			t.Fatalf("%d lines, the last of %d bytes, %v", len(fields), len(value), err)
		}
		return string(value)
	}
	one := secret(digest("salt"))
	if secret(digest("salt")) != one {
		t.Error("one salt gives two secrets")
	}
	if secret(digest("pepper")) == one {
		t.Error("two salts give one secret")
	}
}

// A wrong PIN costs a try, and the right one gives it back.
func (c *client) wrongPIN(t *testing.T) {
	wrong := client{node: c.node, pin: "0000"}
	out, err := run(t, lines(digest("sign in"), c.kept.rp), wrong.enter(), "fido2-assert", "-G", "-r", "-v", c.node)
	if err == nil {
		t.Error("signed in with a wrong PIN")
	}
	contains(t, out, "FIDO_ERR_PIN_INVALID")
	contains(t, succeed(t, "", nil, "fido2-token", "-I", c.node), "pin retries: 7\n")
	c.assert(t, c.kept, "-r", "-v")
	contains(t, succeed(t, "", nil, "fido2-token", "-I", c.node), "pin retries: 8\n")
}

// changePIN changes the PIN, and signs in with the new one.
func (c *client) changePIN(t *testing.T, to string) {
	t.Helper()
	old := c.pin
	c.pin = to
	succeed(t, "", []line{
		{"Enter current PIN for " + c.node + ": ", old},
		{"Enter new PIN for " + c.node + ": ", c.pin},
		{"Enter the same PIN again: ", c.pin},
	}, "fido2-token", "-C", c.node)
	c.assert(t, c.kept, "-r", "-v")
}

// credentialManagement: what is resident is listed, and what is deleted is gone.
func (c *client) manage(t *testing.T) {
	keep := c.kept
	defer func() { c.kept = keep }()
	doomed := c.register(t, "-r")
	sites := succeed(t, "", c.enter(), "fido2-token", "-L", "-r", c.node)
	contains(t, sites, " "+keep.rp+"\n", digest(keep.rp), " "+doomed.rp+"\n", digest(doomed.rp))
	if strings.Contains(sites, "rp-v.example") {
		t.Error("lists a site whose credential is not resident")
	}
	contains(t, succeed(t, "", c.enter(), "fido2-token", "-L", "-k", doomed.rp, c.node), doomed.id, "es256")
	succeed(t, "", c.enter(), "fido2-token", "-D", "-i", doomed.id, c.node)
	out, err := run(t, lines(digest("sign in"), doomed.rp, doomed.id), c.enter(), "fido2-assert", "-G", "-v", c.node)
	if err == nil {
		t.Error("signed in with what was deleted")
	}
	contains(t, out, "FIDO_ERR_NO_CREDENTIALS")
	c.assert(t, keep, "-r", "-v")
}
