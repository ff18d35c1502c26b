package linux_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostExposure is what the service may have by `systemd-analyze security`, in tenths.
const mostExposure = "10"

// analyze runs systemd-analyze.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here; on Debian: apt-get install systemd")
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installed gives copies of the units that start a program that there is.
func installed(t *testing.T, units ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, unit := range units {
		content, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		there := strings.ReplaceAll(string(content), "/usr/bin/localpasskey", "/bin/true")
		path := filepath.Join(dir, unit)
		if err := os.WriteFile(path, []byte(there), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// The service can reach the TPM and make HID devices, and next to nothing else.
func TestExposure(t *testing.T) {
	t.Parallel()
	unit, err := filepath.Abs("localpasskey.service")
	if err != nil {
		t.Fatal(err)
	}
	out := analyze(t, "security", "--offline=true", "--no-pager", "--threshold="+mostExposure, unit)
	score := regexp.MustCompile(`Overall exposure level.*`).FindString(out)
	if score == "" {
		t.Fatalf("no score in:\n%s", out)
	}
	t.Log(score)
}

func TestUnitsAreSound(t *testing.T) {
	t.Parallel()
	units := installed(t, "localpasskey.service", "localpasskey.socket")
	out := analyze(t, append([]string{"verify", "--man=no"}, units...)...)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "localpasskey") { // others have faults of their own
			t.Error(line)
		}
	}
}

// What the daemon's code and its units must say alike.
func TestUnitsAgreeWithTheProgram(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"localpasskey.socket":              {"ListenStream=/run/localpasskey/socket", "SocketMode=0666"},
		"localpasskey.service":             {"StateDirectory=localpasskey", "StateDirectoryMode=0700", "ExecStart=/usr/bin/localpasskey daemon --system"},
		"localpasskey-agent.service":       {"ExecStart=/usr/bin/localpasskey agent --socket /run/localpasskey/socket --notify ${NOTIFY}", "\nEnvironment=NOTIFY=warnings\n"},
		"polkit/50-localpasskey.rules":     {`subject.user === "localpasskey"`, `"net.reactivated.fprint.device.verify"`, `"net.reactivated.fprint.device.setusername"`},
		"71-localpasskey.rules":            {`ENV{HID_ID}!="0003:0000F1D0:00000001"`, `ENV{HID_NAME}!="LocalPasskey"`, `OWNER="$env{HID_PHYS}"`},
		"../../cmd/localpasskey/system.go": {`loggedIn = "/run/systemd/users"`},
		"../../internal/places/places.go":  {`"/run/localpasskey/socket"`, `"/var/lib/localpasskey"`},
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(string(content), text) {
				t.Errorf("%s has no %q", file, text)
			}
		}
	}
	service, err := os.ReadFile("localpasskey.service")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^PrivateUsers=`).Match(service) {
		t.Error("with PrivateUsers= all callers are one user")
	}
}

// The accounts that the service needs are made by systemd-sysusers.
func TestAccounts(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("systemd-sysusers")
	if err != nil {
		t.Skip("no systemd-sysusers here; on Debian: apt-get install systemd")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile("sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--root="+root, "-")
	cmd.Stdin = strings.NewReader(string(conf))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for file, want := range map[string]string{
		"passwd": `(?m)^localpasskey:.*:/var/lib/localpasskey:.*nologin$`,
		"group":  `(?m)^tss:.*:localpasskey$`,
	} {
		content, err := os.ReadFile(filepath.Join(root, "etc", file))
		if err != nil || !regexp.MustCompile(want).Match(content) {
			t.Errorf("/etc/%s: %v\n%s", file, err, content)
		}
	}
}
