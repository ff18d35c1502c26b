//go:build e2e && linux

package clients

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
	"github.com/localpasskey/localpasskey/test/vm"
)

// What Run tells the guest: the files of two packages, and the desktop's lock screen is
// the tests' word to logind.
const (
	olderDeb = "LOCALPASSKEY_TEST_OLDER_DEB"
	newerDeb = "LOCALPASSKEY_TEST_NEWER_DEB"
)

// The system service from the package's installation to its purge, as systemd runs it,
// with the kernel's uhid and TPM, udev, logind and two users.
func TestSystemService(t *testing.T) {
	if !vm.Inside() {
		if runtime.GOARCH != "amd64" {
			t.Skip("the guest is a PC")
		}
		older, newer := unpacked(t, "0.0.1"), unpacked(t, "0.0.2")
		vm.Run(t, vm.Config{
			Systemd: true, MemoryMiB: 2048, Limit: 10 * time.Minute, Programs: []string{pinentryProgram},
			Env: []string{olderDeb + "=" + older, newerDeb + "=" + newer},
		})
		return
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := exec.Command("journalctl", "-b", "--no-pager", "-n", "200").CombinedOutput()
			t.Logf("%s", log)
			log, _ = exec.Command("sh", "-c", "ls -l /dev/uhid /dev/tpmrm0 /dev/hidraw*; grep localpasskey /etc/group; udevadm test /sys/class/misc/uhid 2>&1 | tail -40").CombinedOutput()
			t.Logf("%s", log)
		}
	})
	p := &installed{older: os.Getenv(olderDeb), newer: os.Getenv(newerDeb)}
	if !t.Run("installed", p.install) {
		t.FailNow()
	}
	bus, err := dbus.ConnectSystemBus()
	check(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	alice, bob := newUser(t, bus, "alice", 60101, 1), newUser(t, bus, "bob", 60102, 2)
	p.alice, p.bob = alice, bob
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"each user has his own", func(t *testing.T) { eachHasHisOwn(t, alice, bob) }},
		{"the doctor finds no problem", p.healthy},
		{"registration and sign-in", func(t *testing.T) { p.passkey = alice.register(t); alice.signIn(t, p.passkey) }},
		{"the device goes with the lock", func(t *testing.T) { lockAndUnlock(t, alice) }},
		{"killed while asking", func(t *testing.T) { killedWhileAsking(t, alice) }},
		{"a finger stands for the PIN", func(t *testing.T) { fingers(t, alice) }},
		{"an agent of one's own making", func(t *testing.T) { ownAgent(t, alice, bob) }},
		{"the device goes with the switch", func(t *testing.T) { switchUsers(t, alice, bob) }},
		{"upgraded", p.upgrade},
		{"removed", p.remove},
		{"installed again", p.again},
		{"purged", p.purge},
	} {
		if !t.Run(step.name, step.do) {
			t.FailNow()
		}
	}
}

// systemctl and the like, as root.
func root(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// user is one of the machine, with a session at seat0.
type user struct {
	name string
	uid  int
	home string
	path dbus.ObjectPath // of the session
	bus  *dbus.Conn
}

// newUser makes a user who is logged in at a virtual terminal.
func newUser(t *testing.T, bus *dbus.Conn, name string, uid int, vt uint32) *user {
	t.Helper()
	root(t, "useradd", "--create-home", "--uid", strconv.Itoa(uid), name)
	u := &user{name: name, uid: uid, home: "/home/" + name, bus: bus}
	leader := u.command(t, "sleep", "infinity")
	check(t, leader.Start())
	t.Cleanup(func() { _ = leader.Process.Kill(); _ = leader.Wait() })
	var id, runtime, seat string
	var fifo dbus.UnixFD
	var owner, number uint32
	var existing bool
	check(t, bus.Object("org.freedesktop.login1", "/org/freedesktop/login1").CallWithContext(t.Context(),
		"org.freedesktop.login1.Manager.CreateSession", 0,
		uint32(uid), uint32(leader.Process.Pid), "login", "tty", "user", "", "seat0", vt, "tty"+strconv.Itoa(int(vt)), "", false, "", "",
		[]struct {
			Name  string
			Value dbus.Variant
		}{},
	).Store(&id, &u.path, &runtime, &fifo, &owner, &seat, &number, &existing))
	t.Cleanup(func() { _ = unix.Close(int(fifo)) }) // the session lives as long
	t.Logf("%s has session %s at %s", name, id, seat)
	check(t, os.Mkdir(u.prompt(), 0o700))
	check(t, os.Symlink(scriptedPinentry, filepath.Join(u.prompt(), "pinentry")))
	u.answer(t, "pin "+machinePIN)
	return u
}

// prompt is the directory of the program that stands for the person.
func (u *user) prompt() string { return filepath.Join(u.home, "prompt") }

// answer is what the person does at the dialogs to come.
func (u *user) answer(t *testing.T, answers ...string) {
	t.Helper()
	check(t, pinentrytest.Answer(u.prompt(), answers...))
	root(t, "chown", "-R", u.name, u.prompt())
}

// asked waits until the user's agent attends.
func (u *user) asked(t *testing.T) {
	t.Helper()
	eventually(t, u.name+"'s agent attends", func() bool { return u.status(t).Prompt == "agent" })
}

// command is one that the user gives.
func (u *user) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	cmd.Env = []string{"HOME=" + u.home, "PATH=/usr/local/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR=/run/user/" + strconv.Itoa(u.uid)}
	cmd.Dir = "/"
	return cmd
}

// run runs a program that must succeed, and gives what it prints.
func (u *user) run(t *testing.T, input, program string, args ...string) string {
	t.Helper()
	cmd := u.command(t, program, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %s %s: %v\n%s", u.name, program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// register makes a passkey with libfido2's program; the agent asks for the PIN.
func (u *user) register(t *testing.T) credential {
	t.Helper()
	made := credential{rp: "fido2-tools.example", publicKey: filepath.Join(u.home, "key.pem")}
	out := u.run(t, lines(digest("register"), made.rp, u.name, digest("handle")), "fido2-cred", "-M", "-r", u.node(t), "es256")
	id, pem, ok := strings.Cut(u.run(t, out, "fido2-cred", "-V", "-v"), "\n")
	if !ok || !strings.HasPrefix(pem, "-----BEGIN PUBLIC KEY-----\n") {
		t.Fatalf("verified %q", pem)
	}
	made.id = id
	check(t, os.WriteFile(made.publicKey, []byte(pem), 0o644))
	return made
}

// signIn signs in with what register made, which libfido2 verifies.
func (u *user) signIn(t *testing.T, with credential) {
	t.Helper()
	out := u.run(t, lines(digest("sign in"), with.rp), "fido2-assert", "-G", "-p", "-r", u.node(t))
	u.run(t, out, "fido2-assert", "-V", "-p", "-v", with.publicKey, "es256")
}

func (u *user) status(t *testing.T) (s status) {
	t.Helper()
	out, err := u.command(t, "localpasskey", "status", "--json").Output()
	check(t, err)
	check(t, json.Unmarshal(out, &s))
	return s
}

// node waits until the user's device is there, and is his.
func (u *user) node(t *testing.T) (node string) {
	t.Helper()
	eventually(t, u.name+" has a device", func() bool { node = u.status(t).Node; return node != "" })
	eventually(t, u.name+" can open it", func() bool {
		return u.command(t, "dd", "if=/dev/null", "of="+node, "conv=notrunc", "status=none").Run() == nil
	})
	return node
}

// withdrawn waits until the user has no device.
func (u *user) withdrawn(t *testing.T, node string) {
	t.Helper()
	eventually(t, u.name+"'s device is withdrawn", func() bool {
		var about unix.Stat_t
		err := unix.Stat(node, &about) // another's device may have the name at once
		return (errors.Is(err, unix.ENOENT) || err == nil && int(about.Uid) != u.uid) && u.status(t).Node == ""
	})
}

func (u *user) session(t *testing.T, method string, args ...any) {
	t.Helper()
	check(t, u.bus.Object("org.freedesktop.login1", u.path).CallWithContext(t.Context(), "org.freedesktop.login1.Session."+method, 0, args...).Err)
}

func eachHasHisOwn(t *testing.T, alice, bob *user) {
	alice.run(t, machinePIN+"\n", "localpasskey", "setup", "--pin-stdin")
	alice.run(t, "", "systemctl", "--user", "start", "desktop.service") // and with it the agent
	alice.asked(t)
	node := alice.node(t)
	var about unix.Stat_t
	check(t, unix.Stat(node, &about))
	if int(about.Uid) != alice.uid || about.Mode&0o777 != 0o600 {
		t.Errorf("%s is %d's, mode %o", node, about.Uid, about.Mode&0o777)
	}
	acl, err := exec.Command("udevadm", "info", "--query=property", "--property=CURRENT_TAGS", "--value", node).Output()
	check(t, err)
	if strings.Contains(string(acl), ":uaccess:") {
		t.Errorf("%s has the tags %s: whoever sits at the machine would get it", node, acl)
	}
	if err := bob.command(t, "dd", "if=/dev/null", "of="+node, "conv=notrunc", "status=none").Run(); err == nil {
		t.Errorf("bob opens %s", node)
	}
	for _, device := range []string{"/dev/tpmrm0", "/dev/uhid"} {
		if err := alice.command(t, "dd", "if=/dev/null", "of="+device, "conv=notrunc", "status=none").Run(); err == nil {
			t.Errorf("alice opens %s", device)
		}
	}
	pid := strings.TrimSpace(root(t, "systemctl", "show", "--property=MainPID", "--value", "localpasskey.service"))
	if err := bob.command(t, "kill", "-KILL", pid).Run(); err == nil {
		t.Error("bob kills the service")
	}
	if err := bob.command(t, "localpasskey", "list").Run(); err == nil {
		t.Error("bob has a list, without a set-up of his own")
	}
	bob.run(t, machinePIN+"\n", "localpasskey", "setup", "--pin-stdin")
	if s := bob.status(t); s.Node != "" {
		t.Errorf("bob, who is not in front, has %s", s.Node)
	}
	for _, u := range []*user{alice, bob} {
		check(t, unix.Stat("/var/lib/localpasskey/"+strconv.Itoa(u.uid)+"/passkeys.db", &about))
		if about.Uid == uint32(u.uid) || about.Uid == 0 || about.Mode&0o077 != 0 {
			t.Errorf("%s's store is %d's, mode %o", u.name, about.Uid, about.Mode)
		}
	}
}

func lockAndUnlock(t *testing.T, u *user) {
	node := u.node(t)
	u.session(t, "SetLockedHint", true)
	u.withdrawn(t, node)
	u.session(t, "SetLockedHint", false)
	u.node(t)
}

// Killed in the middle of a request: systemd starts it again, nothing half is left, the
// agent finds it, and the next request works. Stopped, it comes back by its socket.
func killedWhileAsking(t *testing.T, u *user) {
	before := u.status(t).Passkeys
	_, err := pinentrytest.Shown(u.prompt())
	check(t, err)
	u.answer(t, "hold")
	key := u.command(t, "ssh-keygen", "-q", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(u.home, "first"))
	check(t, key.Start())
	eventually(t, "a dialog", func() bool {
		shown, err := os.ReadFile(filepath.Join(u.prompt(), "shown"))
		return err == nil && strings.Contains(string(shown), "GETPIN")
	})
	root(t, "systemctl", "kill", "--signal=KILL", "localpasskey.service")
	if err := key.Wait(); err == nil {
		t.Error("a key was made without a yes")
	}
	u.answer(t, "pin "+machinePIN)
	u.asked(t)
	if s := u.status(t); s.Passkeys != before {
		t.Errorf("%d passkeys after a request that was cut short, %d before", s.Passkeys, before)
	}
	u.node(t)
	u.run(t, "", "ssh-keygen", "-q", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(u.home, "second"))
	if s := u.status(t); s.Passkeys != before+1 {
		t.Errorf("%d passkeys, want one more than %d", s.Passkeys, before)
	}
	root(t, "systemctl", "kill", "--signal=KILL", "localpasskey.service")
	root(t, "systemctl", "stop", "localpasskey.service")
	u.asked(t) // the first who asks its socket starts it
	u.node(t)
}

func switchUsers(t *testing.T, alice, bob *user) {
	node := alice.node(t)
	bob.session(t, "Activate")
	alice.withdrawn(t, node)
	node = bob.node(t)
	if s := bob.status(t); s.Passkeys != 0 {
		t.Errorf("bob has %d passkeys", s.Passkeys)
	}
	alice.session(t, "Activate")
	bob.withdrawn(t, node)
	alice.node(t)
}
