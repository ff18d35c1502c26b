//go:build e2e && linux

package clients

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// TestOpenSSH makes ecdsa-sk keys, signs with them, logs in and signs a commit.
func TestOpenSSH(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: append(machinePrograms(), scriptedProgram)})
		return
	}
	t.Run("a touch", func(t *testing.T) {
		k := plug(t, t.TempDir(), "-always-uv=false")
		newSSHKey(t, nil, nil).sign(t)
		k.pull(t, unix.SIGTERM)
	})
	t.Run("a PIN in the terminal", func(t *testing.T) {
		k := plug(t, t.TempDir(), "-uv=false")
		c := client{node: k.path}
		c.setPIN(t)
		enroll := []line{{"Enter PIN for authenticator: ", c.pin}}
		sign := []line{{"Enter PIN for ECDSA-SK key: ", c.pin}}
		newSSHKey(t, enroll, sign, "-O", "verify-required").sign(t)
		newSSHKey(t, enroll, sign, "-O", "verify-required", "-O", "resident").sign(t)
		k.pull(t, unix.SIGTERM)
	})
	m := start(t)
	m.setUp(t)
	m.attend(t)
	m.answer(t, "pin "+machinePIN)
	t.Run("our prompt", func(t *testing.T) {
		k := newSSHKey(t, nil, nil)
		shown := m.shown(t)
		contains(t, shown, "Create a passkey for ssh:", "programs can lie): ssh-sk-helper ← ssh-keygen ← ", "GETPIN")
		k.sign(t)
		contains(t, m.shown(t), "Sign in to ssh:", "ssh-sk-helper ← ssh-keygen ← ", "GETPIN")
	})
	t.Run("our prompt, verify-required", func(t *testing.T) {
		// It enrols by our prompt; to sign it asks for the PIN before it looks what the key can do.
		k := newSSHKey(t, nil, []line{{"Enter PIN for ECDSA-SK key: ", machinePIN}}, "-O", "verify-required")
		contains(t, m.shown(t), "Create a passkey for ssh:", "GETPIN")
		k.sign(t)
		contains(t, m.shown(t), "Sign in to ssh:", "CONFIRM")
	})
	t.Run("resident, and taken to another computer", func(t *testing.T) { m.downloadSSHKeys(t) })
	t.Run("login", func(t *testing.T) { newSSHKey(t, nil, nil).login(t) })
	t.Run("commit", func(t *testing.T) { newSSHKey(t, nil, nil).commit(t) })
	t.Run("refused", func(t *testing.T) {
		m.answer(t, "no")
		defer m.answer(t, "pin "+machinePIN)
		dir := t.TempDir()
		// OpenSSH takes a no for a missing or wrong PIN, and asks for that until it has enough.
		pin := line{"Enter PIN for authenticator: ", machinePIN}
		if _, err := run(t, "", []line{pin, pin}, "ssh-keygen", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(dir, "id")); err == nil {
			t.Error("made a key that was refused")
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// sshKey is a key in a directory of its own.
type sshKey struct {
	dir, file string
	public    []byte
	dialogue  []line // that signing needs
}

// newSSHKey makes a key.
func newSSHKey(t *testing.T, enroll, sign []line, options ...string) *sshKey {
	t.Helper()
	k := &sshKey{dir: t.TempDir(), dialogue: sign}
	k.file = filepath.Join(k.dir, "id_ecdsa_sk")
	made := succeed(t, "", enroll, "ssh-keygen",
		append([]string{"-t", "ecdsa-sk", "-N", "", "-C", "alice", "-f", k.file}, options...)...)
	contains(t, made, "Your public key has been saved")
	k.read(t)
	return k
}

func (k *sshKey) read(t *testing.T) {
	t.Helper()
	var err error
	k.public, err = os.ReadFile(k.file + ".pub")
	check(t, err)
	if !strings.HasPrefix(string(k.public), "sk-ecdsa-sha2-nistp256@openssh.com ") {
		t.Errorf("the public key is %s", k.public)
	}
}

// signers writes the file that says whose key it is.
func (k *sshKey) signers(t *testing.T) string {
	t.Helper()
	file := filepath.Join(k.dir, "allowed_signers")
	check(t, os.WriteFile(file, append([]byte("alice "), k.public...), 0o600))
	return file
}

// sign makes a signature and has it verified.
func (k *sshKey) sign(t *testing.T) {
	t.Helper()
	data := filepath.Join(k.dir, "data")
	check(t, os.WriteFile(data, []byte("signed\n"), 0o600))
	succeed(t, "", k.dialogue, "ssh-keygen", "-Y", "sign", "-n", "file", "-f", k.file, data)
	verify := []string{"-Y", "verify", "-n", "file", "-I", "alice", "-f", k.signers(t), "-s", data + ".sig"}
	contains(t, succeed(t, "signed\n", nil, "ssh-keygen", verify...), "Good \"file\" signature for alice with ECDSA-SK key")
	if _, err := run(t, "forged\n", nil, "ssh-keygen", verify...); err == nil {
		t.Error("a signature of something else was taken for right")
	}
}

// downloadSSHKeys finds a resident key by the authenticator alone, and signs with what
// was found.
func (m *machine) downloadSSHKeys(t *testing.T) {
	made := newSSHKey(t, nil, nil, "-O", "resident", "-O", "application=ssh:laptop")
	dir := t.TempDir()
	command{dir: dir, dialogue: []line{{"Enter PIN for authenticator: ", machinePIN}}}.succeed(t, "ssh-keygen", "-K", "-N", "")
	files, err := filepath.Glob(filepath.Join(dir, "*laptop"))
	check(t, err)
	if len(files) != 1 {
		t.Fatalf("found %q", files)
	}
	found := &sshKey{dir: dir, file: files[0]}
	found.read(t)
	if mine, its := strings.Fields(string(made.public))[1], strings.Fields(string(found.public))[1]; mine != its {
		t.Errorf("made %s, found %s", mine, its)
	}
	found.sign(t)
}

// login logs in to a server of this machine.
func (k *sshKey) login(t *testing.T) {
	host, keys, config := filepath.Join(k.dir, "host"), filepath.Join(k.dir, "authorized_keys"), filepath.Join(k.dir, "sshd_config")
	check(t, os.WriteFile(keys, k.public, 0o600))
	succeed(t, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host)
	check(t, os.WriteFile(config, []byte(lines(
		"ListenAddress 127.0.0.1:2222", "HostKey "+host, "AuthorizedKeysFile "+keys, "StrictModes no", "UsePAM no",
		"AuthenticationMethods publickey", "PidFile none",
	)), 0o600))
	check(t, os.MkdirAll("/run/sshd", 0o755))
	server := exec.CommandContext(t.Context(), "/usr/sbin/sshd", "-D", "-e", "-f", config)
	server.Stderr = os.Stderr
	check(t, server.Start())
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	eventually(t, "sshd listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:2222")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	ssh := func(key string) (string, error) {
		return run(t, "", k.dialogue, "ssh", "-F", "none", "-p", "2222", "-i", key, "-o", "IdentitiesOnly=yes",
			"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile="+filepath.Join(k.dir, "known_hosts"),
			"root@127.0.0.1", "echo logged in")
	}
	out, err := ssh(k.file)
	check(t, err)
	contains(t, out, "logged in\n")
	if out, err := ssh(host); err == nil {
		t.Errorf("another key logs in: %s", out)
	}
}

// commit signs a commit.
func (k *sshKey) commit(t *testing.T) {
	git := func(args ...string) string {
		t.Helper()
		return command{dir: k.dir, dialogue: nil}.succeed(t, "git", append([]string{
			"-c", "user.name=Alice", "-c", "user.email=alice", "-c", "gpg.format=ssh",
			"-c", "user.signingkey=" + k.file + ".pub", "-c", "gpg.ssh.allowedSignersFile=" + k.signers(t),
		}, args...)...)
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-S", "-m", "signed")
	contains(t, git("verify-commit", "HEAD"), "Good \"git\" signature for alice with ECDSA-SK key")
	contains(t, git("log", "--format=%G?"), "G\n")
}
