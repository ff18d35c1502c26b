package doctor

import (
	"path/filepath"
	"strings"
)

// serviceSocket is where the service answers.
const serviceSocket = "/run/localpasskey/socket"

// unitDirs are where systemd reads units of the system.
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// unit gives the file of a unit of the system, or "".
func (m Machine) unit(name string) string {
	var names []string
	for _, dir := range unitDirs() {
		names = append(names, filepath.Join(dir, name))
	}
	return m.first(names...)
}

func (m Machine) serviceUnit() string { return m.unit("localpasskey.service") }

// masked tells whether a unit's file says that it must not run.
func (m Machine) masked(unit string) bool {
	return m.resolve(unit) == "/dev/null" || strings.TrimSpace(m.read(unit)) == ""
}

// wanted tells whether a unit is started with the system.
func (m Machine) wanted(name string) bool {
	for _, dir := range unitDirs() {
		for _, target := range m.list(dir) {
			if strings.HasSuffix(target, ".wants") && m.has(filepath.Join(dir, target, name)) {
				return true
			}
		}
	}
	return false
}

// service looks for the service of the system.
func (m Machine) service() Finding {
	const check = "service"
	unit := m.serviceUnit()
	switch {
	case unit == "":
		return notNeeded(check, "it is not installed: `localpasskey daemon --user` runs the daemon as you")
	case m.masked(unit):
		return wrong(check, unit+" forbids the service to run", "run: sudo systemctl unmask localpasskey.service")
	case m.wanted("localpasskey.service"), m.wanted("localpasskey.socket"):
		return ok(check, unit+", started with the system")
	default:
		return wrong(check, unit+" is installed, but is not started with the system", "run: sudo systemctl enable --now localpasskey.service")
	}
}

// socketUnit looks for the socket by which systemd starts the service.
func (m Machine) socketUnit() Finding {
	const check = "socket unit"
	unit := m.unit("localpasskey.socket")
	switch {
	case unit == "":
		return notNeeded(check, "the daemon makes its socket itself")
	case m.masked(unit):
		return wrong(check, unit+" forbids the socket", "run: sudo systemctl unmask localpasskey.socket")
	case m.wanted("localpasskey.socket"):
		return ok(check, unit+", started with the system")
	default:
		return wrong(check, unit+" is installed, but is not started with the system", "run: sudo systemctl enable --now localpasskey.socket")
	}
}
