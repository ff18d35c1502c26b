//go:build e2e && linux

package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

// The system service, as systemd runs it by the units in packaging/linux, with the
// kernel's uhid and TPM, udev and logind.
func TestSystemService(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Systemd: true, MemoryMiB: 2048, Limit: 8 * time.Minute, Programs: machinePrograms()})
		return
	}
	install(t)
	bus, err := dbus.ConnectSystemBus()
	check(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	alice, bob := newUser(t, bus, "alice", 60101, 1), newUser(t, bus, "bob", 60102, 2)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := exec.Command("journalctl", "-b", "--no-pager", "-n", "150").CombinedOutput()
			t.Logf("%s", log)
			log, _ = exec.Command("sh", "-c", "ls -l /dev/uhid /dev/tpmrm0 /dev/hidraw*; grep localpasskey /etc/group; udevadm test /sys/class/misc/uhid 2>&1 | tail -40").CombinedOutput()
			t.Logf("%s", log)
		}
	})
	ok := t.Run("each user has his own", func(t *testing.T) { eachHasHisOwn(t, alice, bob) }) &&
		t.Run("the device goes with the lock", func(t *testing.T) { lockAndUnlock(t, alice) }) &&
		t.Run("killed while asking", func(t *testing.T) { killedWhileAsking(t, alice) }) &&
		t.Run("a finger stands for the PIN", func(t *testing.T) { fingers(t, alice) }) &&
		t.Run("the device goes with the switch", func(t *testing.T) { switchUsers(t, alice, bob) })
	if !ok {
		t.FailNow()
	}
}

// systemctl and the like, as root.
func root(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// install puts everything where a package puts it.
func install(t *testing.T) {
	t.Helper()
	const packaging = "../../packaging/linux/"
	for _, file := range [][2]string{ // accounts first: udev wants to know the group
		{packaging + "sysusers.conf", "/etc/sysusers.d/localpasskey.conf"},
		{packaging + "tmpfiles.conf", "/etc/tmpfiles.d/localpasskey.conf"},
		{vm.Program(productProgram), "/usr/bin/localpasskey"},
		{vm.Program(pinentryProgram), "/usr/bin/pinentry-scripted"},
		{packaging + "localpasskey.service", "/etc/systemd/system/localpasskey.service"},
		{packaging + "localpasskey.socket", "/etc/systemd/system/localpasskey.socket"},
		{packaging + "71-localpasskey.rules", "/etc/udev/rules.d/71-localpasskey.rules"},
	} {
		mode := "0644"
		if filepath.Dir(file[1]) == "/usr/bin" {
			mode = "0755"
		}
		root(t, "install", "-D", "-m", mode, file[0], file[1])
		switch filepath.Base(filepath.Dir(file[1])) {
		case "sysusers.d":
			root(t, "systemd-sysusers", "localpasskey.conf")
		case "tmpfiles.d":
			root(t, "systemd-tmpfiles", "--create", "localpasskey.conf")
		}
	}
	root(t, "udevadm", "control", "--reload")
	root(t, "udevadm", "trigger", "--settle", "/dev/uhid", "/dev/tpmrm0")
	root(t, "systemctl", "daemon-reload")
	root(t, "systemctl", "start", "localpasskey.socket")
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
	return u
}

// command is one that the user gives.
func (u *user) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	cmd.Env = []string{"HOME=" + u.home, "PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	return cmd
}

// localpasskey runs the command line.
func (u *user) localpasskey(t *testing.T, input string, args ...string) {
	t.Helper()
	cmd := u.command(t, "localpasskey", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: localpasskey %s: %v\n%s", u.name, strings.Join(args, " "), err, out)
	}
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
		_, err := os.Stat(node)
		return os.IsNotExist(err) && u.status(t).Node == ""
	})
}

func (u *user) session(t *testing.T, method string, args ...any) {
	t.Helper()
	check(t, u.bus.Object("org.freedesktop.login1", u.path).CallWithContext(t.Context(), "org.freedesktop.login1.Session."+method, 0, args...).Err)
}

func eachHasHisOwn(t *testing.T, alice, bob *user) {
	alice.localpasskey(t, machinePIN+"\n", "setup", "--pin-stdin")
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
	if err := bob.command(t, "localpasskey", "list").Run(); err == nil {
		t.Error("bob has a list, without a set-up of his own")
	}
	bob.localpasskey(t, machinePIN+"\n", "setup", "--pin-stdin")
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
// agent finds it, and the next request works.
func killedWhileAsking(t *testing.T, u *user) {
	dir := filepath.Join(u.home, "prompt")
	pinentry := filepath.Join(dir, "pinentry")
	check(t, os.Mkdir(dir, 0o700))
	check(t, os.Symlink("/usr/bin/pinentry-scripted", pinentry))
	answer := func(answers ...string) {
		check(t, pinentrytest.Answer(dir, answers...))
		root(t, "chown", "-R", u.name, dir)
	}
	answer("hold")
	agent := u.command(t, "localpasskey", "agent", "--pinentry", pinentry)
	check(t, agent.Start())
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	asked := func() { eventually(t, "the agent attends", func() bool { return u.status(t).Prompt == "agent" }) }
	asked()
	u.node(t)
	key := u.command(t, "ssh-keygen", "-q", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(u.home, "first"))
	check(t, key.Start())
	eventually(t, "a dialog", func() bool {
		shown, err := os.ReadFile(filepath.Join(dir, "shown"))
		return err == nil && strings.Contains(string(shown), "GETPIN")
	})
	root(t, "systemctl", "kill", "--signal=KILL", "localpasskey.service")
	if err := key.Wait(); err == nil {
		t.Error("a key was made without a yes")
	}
	answer("pin " + machinePIN)
	asked()
	if s := u.status(t); s.Passkeys != 0 {
		t.Errorf("%d passkeys after a request that was cut short", s.Passkeys)
	}
	u.node(t)
	out, err := u.command(t, "ssh-keygen", "-q", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(u.home, "second")).CombinedOutput()
	if err != nil {
		t.Errorf("the next request: %v\n%s", err, out)
	}
	if s := u.status(t); s.Passkeys != 1 {
		t.Errorf("%d passkeys, want the one", s.Passkeys)
	}
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
