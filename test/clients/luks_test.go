//go:build e2e && linux

package clients

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// passphrase opens the volumes of this test until a passkey does.
const passphrase = "until there is a passkey"

// TestLUKS enrols the authenticator for a LUKS volume with systemd-cryptenroll, and opens
// the volume with cryptsetup, which finds libfido2 through systemd's token plugin: with
// the PIN typed there, at a prompt of the authenticator's own, and without any.
func TestLUKS(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: []string{scriptedProgram}})
		return
	}
	for _, module := range []string{"loop", "dm-crypt", "xts"} {
		succeed(t, "", nil, "modprobe", module)
	}
	// systemd, which is not the guest's first program, makes this; who asks for a PIN watches it.
	check(t, os.MkdirAll("/run/systemd/ask-password", 0o755))
	for name, c := range map[string]struct {
		flags, enrol []string
		noPIN        bool   // the authenticator has none
		pin          string // typed into systemd-cryptenroll and cryptsetup, "" for nowhere
	}{
		"PIN": {
			flags: []string{"-uv=false"}, pin: machinePIN,
			enrol: []string{"--fido2-with-client-pin=yes", "--fido2-with-user-verification=no"},
		},
		"own prompt": {
			flags: []string{"-pin", machinePIN},
			enrol: []string{"--fido2-with-client-pin=no", "--fido2-with-user-verification=yes"},
		},
		"presence only": {
			flags: []string{"-always-uv=false"}, noPIN: true,
			enrol: []string{"--fido2-with-client-pin=no", "--fido2-with-user-verification=no"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := func() *scripted {
				k := plug(t, t.TempDir(), c.flags...)
				if !c.noPIN {
					(&client{node: k.path}).setPIN(t)
				}
				return k
			}
			k := fresh()
			v := newVolume(t)
			v.enrol(t, k.path, c.pin, c.enrol...)
			v.opens(t, c.pin)
			if c.pin != "" {
				v.refuses(t, "0000", "PIN of security token incorrect")
				v.opens(t, c.pin)
			}
			k.pull(t, unix.SIGTERM)
			fresh()
			v.refuses(t, c.pin, "needed credentials not present")
		})
	}
}

// volume is a LUKS volume with something in it.
type volume struct {
	device string // of the encrypted bytes
	name   string // of the mapping
}

// content is what the volume has in it.
func content() []byte { return bytes.Repeat([]byte("for nobody else "), 256) }

func newVolume(t *testing.T) *volume {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 24<<20)) // 16 MiB are the header's
	v := &volume{name: "test-" + strings.ToLower(filepath.Base(filepath.Dir(image)))}
	v.device = strings.TrimSpace(succeed(t, "", nil, "losetup", "--find", "--show", image))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", v.device).CombinedOutput(); err != nil { // after t's context
			t.Errorf("losetup: %v: %s", err, out)
		}
	})
	// Few iterations: the guest's processor is a program.
	succeed(t, passphrase, nil, "cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2",
		"--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-", v.device)
	succeed(t, passphrase, nil, "cryptsetup", "open", "--key-file", "-", v.device, v.name)
	check(t, os.WriteFile(v.path(), content(), 0o600))
	v.close(t)
	return v
}

func (v *volume) path() string { return "/dev/mapper/" + v.name }

func (v *volume) close(t *testing.T) {
	t.Helper()
	settle(t) // or udevd may have it open still
	succeed(t, "", nil, "cryptsetup", "close", v.name)
}

// enrol makes a passkey on the authenticator for the volume.
func (v *volume) enrol(t *testing.T, node, pin string, flags ...string) {
	t.Helper()
	unlock := filepath.Join(t.TempDir(), "passphrase")
	check(t, os.WriteFile(unlock, []byte(passphrase), 0o600))
	c := command{terminal: true}
	if pin != "" {
		c.dialogue = []line{{"enter security token PIN", pin}}
	}
	out := c.succeed(t, "systemd-cryptenroll", append([]string{
		"--fido2-device=" + node, "--fido2-with-user-presence=yes", "--unlock-key-file=" + unlock,
	}, append(flags, v.device)...)...)
	contains(t, out, "New FIDO2 token enrolled as key slot 1.")
	contains(t, succeed(t, "", nil, "cryptsetup", "luksDump", v.device), "systemd-fido2")
}

// openByToken opens the volume with nothing but the authenticator and, where that wants
// one, the PIN. It gives what is printed. A wrong PIN is not asked for again.
func (v *volume) openByToken(t *testing.T, pin string) (string, error) {
	t.Helper()
	c := command{terminal: true}
	if pin != "" {
		c.dialogue = []line{{"Enter token PIN", pin}}
	}
	return c.run(t, "cryptsetup", "open", "--token-only", "--tries=1", v.device, v.name)
}

// opens opens the volume, reads what is in it, and closes it.
func (v *volume) opens(t *testing.T, pin string) {
	t.Helper()
	_, err := v.openByToken(t, pin)
	check(t, err)
	v.holds(t)
}

// refuses holds that the volume stays closed, and why. One that hangs has refused nothing.
func (v *volume) refuses(t *testing.T, pin, why string) {
	t.Helper()
	out, err := v.openByToken(t, pin)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Exited() {
		t.Errorf("cryptsetup ended with %v, want its refusal", err)
	}
	contains(t, out, why)
}

// holds reads what is in the open volume, and closes it.
func (v *volume) holds(t *testing.T) {
	t.Helper()
	file, err := os.Open(v.path())
	check(t, err)
	got := make([]byte, len(content()))
	_, err = file.Read(got)
	check(t, err)
	check(t, file.Close())
	if !bytes.Equal(got, content()) {
		t.Error("the volume is open, and has something else in it")
	}
	v.close(t)
}
