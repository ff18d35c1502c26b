//go:build e2e && linux

package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/test/vm"
)

// TestOpenSSH makes ecdsa-sk keys and signs with them.
func TestOpenSSH(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: []string{guestProgram}})
		return
	}
	t.Run("a touch", func(t *testing.T) {
		dir := t.TempDir()
		plug(t, "ssh-touch", filepath.Join(dir, "passkeys.db"), "-always-uv=false")
		sshKey(t, dir, nil, nil)
	})
	t.Run("a PIN and a touch", func(t *testing.T) {
		dir := t.TempDir()
		c := client{key: plug(t, "ssh-pin", filepath.Join(dir, "passkeys.db"))}
		c.setPIN(t)
		enroll := []line{{"Enter PIN for authenticator: ", c.pin}}
		sign := []line{{"Enter PIN for ECDSA-SK key: ", c.pin}}
		sshKey(t, dir, enroll, sign, "-O", "verify-required")
		sshKey(t, t.TempDir(), enroll, sign, "-O", "verify-required", "-O", "resident")
	})
}

// sshKey makes a key and a signature, and has the signature verified.
func sshKey(t *testing.T, dir string, enroll, sign []line, options ...string) {
	t.Helper()
	key, data := filepath.Join(dir, "id_ecdsa_sk"), filepath.Join(dir, "data")
	made := succeed(t, "", enroll, "ssh-keygen", append([]string{"-t", "ecdsa-sk", "-N", "", "-C", "alice", "-f", key}, options...)...)
	contains(t, made, "Your public key has been saved")
	public, err := os.ReadFile(key + ".pub")
	check(t, err)
	if !strings.HasPrefix(string(public), "sk-ecdsa-sha2-nistp256@openssh.com ") {
		t.Errorf("the public key is %s", public)
	}
	signers := filepath.Join(dir, "allowed_signers")
	check(t, os.WriteFile(signers, append([]byte("alice "), public...), 0o600))
	check(t, os.WriteFile(data, []byte("signed\n"), 0o600))
	succeed(t, "", sign, "ssh-keygen", "-Y", "sign", "-n", "file", "-f", key, data)
	verify := []string{"-Y", "verify", "-n", "file", "-I", "alice", "-f", signers, "-s", data + ".sig"}
	contains(t, succeed(t, "signed\n", nil, "ssh-keygen", verify...), "Good \"file\" signature for alice with ECDSA-SK key")
	if _, err := run(t, "forged\n", nil, "ssh-keygen", verify...); err == nil {
		t.Error("a signature of something else was taken for right")
	}
}
