//go:build e2e && linux

package clients

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/test/packages/release"
	"github.com/localpasskey/localpasskey/test/vm"
)

// installed is a machine with the package, from its installation to its purge.
type installed struct {
	older, newer string // files of the package's two versions
	alice, bob   *user
	passkey      credential // of alice's
}

// unpacked builds a package, and has its content as it is: to expand it takes the emulated
// machine half a minute each time.
func unpacked(t *testing.T, version string) string {
	t.Helper()
	deb, _ := release.Build(t, version)
	dir := filepath.Join(t.TempDir(), "package")
	root(t, "dpkg-deb", "--raw-extract", deb, dir)
	root(t, "dpkg-deb", "--nocheck", "-Znone", "--build", dir, deb) // an empty list of conffiles is an error of its own
	return deb
}

// stores is where the service keeps what is to outlive a removal.
const stores = "/var/lib/localpasskey"

// desktopUnit stands for a desktop: it brings its session's target, which units wait for
// that are enabled for all users.
const desktopUnit = `[Unit]
Description=A desktop
BindsTo=graphical-session.target
Before=graphical-session.target

[Service]
ExecStart=/bin/sleep infinity
`

// scriptedPinentry stands for a person, where users may run it.
const scriptedPinentry = "/usr/local/bin/pinentry-scripted"

// pinentryScript is the machine's pinentry: each user has a person of his own.
const pinentryScript = "#!/bin/sh\nexec \"$HOME/prompt/pinentry\" \"$@\"\n"

// packages is dpkg's database, which knows of no other package: the host's has thousands
// of files, which take minutes to read here.
const packages = "/dev/shm/dpkg"

// dpkg asks nobody: there is no terminal, and its input is empty.
func dpkg(t *testing.T, args ...string) string {
	t.Helper()
	said := root(t, append([]string{"dpkg", "--admindir=" + packages}, args...)...)
	t.Logf("$ dpkg %s\n%s", strings.Join(args, " "), said)
	return said
}

// states are units' by `systemctl is-active` or `is-enabled`.
func states(t *testing.T, verb string, units ...string) string {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "systemctl", append([]string{verb}, units...)...).Output() // fails where one is not
	return strings.Join(strings.Fields(string(out)), " ")
}

// install has the older version installed where there was none.
func (p *installed) install(t *testing.T) {
	for _, dir := range []string{"info", "updates", "triggers"} {
		check(t, os.MkdirAll(filepath.Join(packages, dir), 0o755))
	}
	check(t, os.WriteFile(filepath.Join(packages, "status"), nil, 0o644))
	// In the two steps of --install, for what may come between them: a device has udev read
	// the rules while there is no such group.
	dpkg(t, "--unpack", p.older)
	root(t, "udevadm", "trigger", "--settle", "/dev/uhid")
	contains(t, dpkg(t, "--configure", "localpasskey"), "localpasskey doctor says what is ready")
	if got := states(t, "is-enabled", "localpasskey.socket", "localpasskey.service"); got != "enabled enabled" {
		t.Errorf("the units are %s", got)
	}
	if got := states(t, "is-active", "localpasskey.socket", "localpasskey.service"); got != "active active" {
		t.Errorf("the units are %s", got)
	}
	if group := root(t, "stat", "--format=%G %a", "/dev/uhid", "/dev/tpmrm0"); group != "localpasskey 660\ntss 660\n" {
		t.Errorf("devices are of %q", group)
	}
	score := regexp.MustCompile(`Overall exposure level.*`).FindString(root(t, "systemd-analyze", "security", "--no-pager", "localpasskey.service"))
	if score == "" {
		t.Error("systemd-analyze has no figure")
	}
	t.Log(score)
	root(t, "install", "-m", "0755", vm.Program(pinentryProgram), scriptedPinentry)
	check(t, os.WriteFile("/usr/local/bin/pinentry", []byte(pinentryScript), 0o755))
	check(t, os.WriteFile("/etc/systemd/user/desktop.service", []byte(desktopUnit), 0o644))
}

// healthy wants a doctor who finds nothing to cure, for one whose session has an agent.
func (p *installed) healthy(t *testing.T) {
	t.Logf("$ localpasskey doctor\n%s", p.alice.run(t, "", "localpasskey", "doctor"))
	var found []struct{ Check, State, Text, Hint string }
	check(t, json.Unmarshal([]byte(p.alice.run(t, "", "localpasskey", "doctor", "--json")), &found))
	state := map[string]string{}
	for _, f := range found {
		state[f.Check] = f.State
	}
	for _, name := range []string{
		"TPM driver", "TPM device", "TPM access", "TPM counts PINs", "storage key", "uhid module", "uhid access", "udev rules",
		"service", "socket unit", "daemon", "set-up", "PIN", "security key", "agent", "pinentry", "clock", "disk space",
	} {
		if state[name] != "ok" {
			t.Errorf("%s: %q", name, state[name])
		}
	}
	if state["TPM maker"] != "note" {
		t.Errorf("the software TPM is %q, want a note", state["TPM maker"])
	}
}

// version wants the daemon and the program to be of a version.
func (p *installed) version(t *testing.T, want string) {
	t.Helper()
	contains(t, p.alice.run(t, "", "localpasskey", "version"), "localpasskey "+want)
	contains(t, p.alice.run(t, "", "localpasskey", "doctor"), "answers at /run/localpasskey/socket, version "+want)
}

// store is alice's.
func (p *installed) store() string {
	return filepath.Join(stores, strconv.Itoa(p.alice.uid), "passkeys.db")
}

func (p *installed) upgrade(t *testing.T) {
	before := p.alice.status(t)
	p.version(t, "0.0.1")
	if said := dpkg(t, "--install", p.newer); strings.Contains(said, "deleting") {
		t.Error("an upgrade deletes")
	}
	p.alice.asked(t)
	p.alice.node(t)
	p.version(t, "0.0.2")
	p.alice.signIn(t, p.passkey)
	if after := p.alice.status(t); after.Passkeys != before.Passkeys || after.Retries != before.Retries {
		t.Errorf("the upgrade made %+v of %+v", after, before)
	}
}

// A removal asks nothing, ends all that ran, and keeps the stores.
func (p *installed) remove(t *testing.T) {
	node := p.alice.node(t)
	contains(t, dpkg(t, "--remove", "localpasskey"), "Its passkeys stay: stores in "+stores+": 2")
	for _, gone := range []string{node, "/run/localpasskey/socket", "/usr/bin/localpasskey", "/usr/lib/systemd/system/localpasskey.socket"} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
	if got := states(t, "is-active", "localpasskey.socket", "localpasskey.service"); got != "inactive inactive" {
		t.Errorf("the units are %s", got)
	}
	if left := programs(t); left != "" {
		t.Errorf("still running: %s", left)
	}
	if _, err := os.Stat(p.store()); err != nil {
		t.Error(err)
	}
}

// programs lists the processes of ours.
func programs(t *testing.T) string {
	t.Helper()
	var left []string
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, file := range all {
		if line, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(line), "/usr/bin/localpasskey\x00") {
			left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return strings.Join(left, ", ")
}

// Installed again, it finds what the removal has left.
func (p *installed) again(t *testing.T) {
	contains(t, dpkg(t, "--install", p.newer), "LocalPasskey is installed")
	p.alice.run(t, "", "systemctl", "--user", "start", "localpasskey-agent.service") // or she logs in anew
	p.alice.asked(t)
	p.alice.signIn(t, p.passkey)
}

// A purge says what it deletes, deletes it, and says what it leaves: that is so.
func (p *installed) purge(t *testing.T) {
	said := dpkg(t, "--purge", "localpasskey")
	contains(t, said, "deleting "+stores+" with the passkeys of every user (stores: 2)", "tpm2_nvundefine")
	if _, err := os.Lstat(stores); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", stores, err)
	}
	if got := dpkg(t, "--list"); strings.Contains(got, "localpasskey") {
		t.Error("dpkg still knows the package")
	}
	if got := indices(t); len(got) != 2 {
		t.Errorf("the TPM has the indices %x of ours; the purge speaks of one for each store", got)
	}
}

// indices are the NV indices in our range.
func indices(t *testing.T) []tpm2.TPMHandle {
	t.Helper()
	conn, err := node.Open("/dev/tpmrm0")(t.Context())
	check(t, err)
	defer conn.Close()
	listed, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapHandles, Property: uint32(pinindex.First), PropertyCount: 100,
	}.Execute(conn)
	check(t, err)
	handles, err := listed.CapabilityData.Data.Handles()
	check(t, err)
	var ours []tpm2.TPMHandle
	for _, h := range handles.Handle {
		if pinindex.Ours(uint32(h)) {
			ours = append(ours, h)
		}
	}
	return ours
}

// What the unit's agent runs is its user's to say, without any privilege. So a daemon
// that took agents from that unit alone, and of this program alone, would take this one;
// and it reaches nobody but who made it.
func ownAgent(t *testing.T, u, other *user) {
	evil := filepath.Join(u.home, "evil")
	check(t, os.Mkdir(evil, 0o700))
	check(t, os.Symlink(scriptedPinentry, filepath.Join(evil, "pinentry")))
	dir := filepath.Join(u.home, ".config/systemd/user/localpasskey-agent.service.d")
	check(t, os.MkdirAll(dir, 0o700))
	start := "ExecStart=\nExecStart=/usr/bin/localpasskey agent --socket /run/localpasskey/socket --pinentry " + filepath.Join(evil, "pinentry")
	check(t, os.WriteFile(filepath.Join(dir, "mine.conf"), []byte("[Service]\n"+start+"\n"), 0o600))
	root(t, "chown", "-R", u.name, filepath.Join(u.home, ".config"), evil)
	u.run(t, "", "systemctl", "--user", "daemon-reload")
	u.run(t, "", "systemctl", "--user", "restart", "localpasskey-agent.service")
	defer func() {
		check(t, os.RemoveAll(dir))
		u.run(t, "", "systemctl", "--user", "daemon-reload")
		u.run(t, "", "systemctl", "--user", "restart", "localpasskey-agent.service")
		u.asked(t)
	}()
	u.asked(t)
	pid := strings.TrimSpace(u.run(t, "", "systemctl", "--user", "show", "--property=MainPID", "--value", "localpasskey-agent.service"))
	cgroup, err := os.ReadFile("/proc/" + pid + "/cgroup")
	check(t, err)
	contains(t, string(cgroup), "/user@"+strconv.Itoa(u.uid)+".service/session.slice/localpasskey-agent.service")
	if program, err := os.Readlink("/proc/" + pid + "/exe"); err != nil || program != "/usr/bin/localpasskey" {
		t.Errorf("the agent is %s, %v", program, err)
	}
	if s := other.status(t); s.Prompt != "" {
		t.Errorf("%s is asked by %q", other.name, s.Prompt)
	}
	if line, err := os.ReadFile("/proc/" + pid + "/cmdline"); err != nil || !strings.Contains(string(line), evil) {
		t.Errorf("it runs %q, %v", line, err)
	}
}
