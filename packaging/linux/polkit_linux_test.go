//go:build e2e

package linux_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bus is a bus on which anybody may do anything: polkit changes to a user of its own.
const bus = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type> <listen>unix:path=WORK/bus</listen> <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
  </policy>
</busconfig>
`

// asking has Debian's polkit, in a mount namespace with our rule and two users more, say
// what each of them may do: one line for each that is allowed.
const asking = `set -eu
cd "$1"
mount --bind passwd /etc/passwd
cp /usr/share/polkit-1/rules.d/* rules/
chmod -R a+rX .
mount --bind rules /usr/share/polkit-1/rules.d
dbus-daemon --config-file=bus.conf --nofork --nopidfile --print-address >address 2>bus.log & bus=$!
trap 'kill $bus $polkit $user 2>/dev/null || true' EXIT
polkit= user=
for i in $(seq 100); do [ -s address ] && break; sleep 0.1; done
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$1/bus
/usr/lib/polkit-1/polkitd >polkit.log 2>&1 & polkit=$!
for i in $(seq 100); do grep -q "Acquired the name" polkit.log && break; sleep 0.1; done
for who in localpasskey somebody; do
  setpriv --reuid $who --clear-groups sleep 60 & user=$!
  for i in $(seq 100); do [ "$(stat -c %U /proc/$user)" = $who ] && break; sleep 0.1; done
  for action in $(pkaction | grep -F net.reactivated.fprint) org.freedesktop.login1.power-off org.freedesktop.login1.lock-sessions; do
    if pkcheck --action-id $action --process $user >/dev/null 2>&1; then echo "$who $action"; fi
  done
  kill $user
done
pkaction | grep -cF net.reactivated.fprint
`

// TestPolkitRule: the service may have a finger looked at, and say whose, and nothing else;
// nobody else may by this rule.
func TestPolkitRule(t *testing.T) {
	dir, err := os.MkdirTemp("", "pk") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	rule, err := os.ReadFile("polkit/50-localpasskey.rules")
	if err != nil {
		t.Fatal(err)
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	users := "localpasskey:x:60999:60999::/:/bin/false\nsomebody:x:60998:60998::/:/bin/false\n"
	for line := range strings.Lines(string(passwd)) {
		if !strings.HasPrefix(line, "localpasskey:") {
			users += line
		}
	}
	for name, content := range map[string]string{
		"rules/50-localpasskey.rules": string(rule), "passwd": users, "bus.conf": strings.ReplaceAll(bus, "WORK", dir),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", asking, "sh", dir).CombinedOutput()
	want := "localpasskey net.reactivated.fprint.device.setusername\nlocalpasskey net.reactivated.fprint.device.verify\n3\n"
	if err != nil || string(out) != want {
		log, _ := os.ReadFile(filepath.Join(dir, "polkit.log"))
		t.Errorf("%v, allowed:\n%swant:\n%spolkit said:\n%s", err, out, want, log)
	}
}
