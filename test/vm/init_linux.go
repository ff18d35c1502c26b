package vm

import (
	"fmt"
	"os"
	"path/filepath"
)

// initUnit is what a guest with systemd boots into: command.sh, and then the end.
const initUnit = `[Unit]
Description=The test
Requires=dbus.socket systemd-logind.service
After=basic.target dbus.socket systemd-logind.service

[Service]
Type=oneshot
Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/sh %[1]s/inside.sh
TimeoutStartSec=infinity
`

// insideScript runs the test below systemd.
const insideScript = `share=%s
/bin/sh "$share/command.sh" </dev/null >>"$share/output" 2>&1
echo $? >"$share/status"
sync
echo o >/proc/sysrq-trigger
sleep 60
`

// furnishInit has the guest boot with systemd as its init.
func furnishInit(shared string) error {
	for name, content := range map[string]string{
		"init.service": fmt.Sprintf(initUnit, shared), "inside.sh": fmt.Sprintf(insideScript, quoted(shared)),
	} {
		if err := os.WriteFile(filepath.Join(shared, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
