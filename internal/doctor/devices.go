package doctor

import (
	"path/filepath"
	"slices"
	"strings"
)

// The nodes that a daemon opens.
const (
	tpmNode  = "/dev/tpmrm0"
	uhidNode = "/dev/uhid"
)

// tpmDriver looks whether the kernel has found a TPM, and of which kind.
func (m Machine) tpmDriver() Finding {
	const check = "TPM driver"
	switch {
	case !m.has("/sys/class/tpm/tpm0"):
		return wrong(check, "the kernel has found no TPM",
			"switch it on in the firmware's settings (often called fTPM, PTT or Security Device); a virtual machine needs one added; `journalctl -k | grep -i tpm` tells more")
	case strings.TrimSpace(m.read("/sys/class/tpm/tpm0/tpm_version_major")) == "1":
		return wrong(check, "the machine's TPM is of version 1.2", "LocalPasskey needs TPM 2.0; some firmware can be switched or updated to it")
	}
	driver := filepath.Base(m.resolve("/sys/class/tpm/tpm0/device/driver"))
	if driver == "." {
		return ok(check, "the kernel has found a TPM")
	}
	return ok(check, "the kernel has found a TPM, by its driver "+driver)
}

// tpmDevice looks for the node of the resource manager.
func (m Machine) tpmDevice() Finding {
	const check = "TPM device"
	switch {
	case m.has(tpmNode):
		return ok(check, tpmNode+" is there")
	case m.has("/dev/tpm0"):
		return wrong(check, "there is /dev/tpm0, but no "+tpmNode+", which programs share",
			"the TPM is of version 1.2, or the kernel is older than 4.12")
	default:
		return wrong(check, "there is no "+tpmNode, "see the line before; where the kernel has a driver for the TPM, run: sudo modprobe tpm_crb; sudo modprobe tpm_tis")
	}
}

// tpmAccess looks who may open the TPM. Whoever may can destroy every passkey.
func (m Machine) tpmAccess(d *answers) Finding {
	const check = "TPM access"
	a, err := m.accessTo(tpmNode)
	switch {
	case err != nil:
		return notNeeded(check, "there is no device")
	case a.everybody:
		return wrong(check, "every program of every user may open "+tpmNode+", and could destroy all passkeys",
			"look which rule of udev allows that (grep -r tpm /etc/udev/rules.d), then run: sudo chmod 0660 "+tpmNode)
	case a.mine && m.UID != 0 && m.serviceUnit() != "":
		return wrong(check, "your own programs may open "+tpmNode+", and could destroy all passkeys; the service has no need of that",
			"leave the group "+a.group+": sudo gpasswd --delete $USER "+a.group+", then log in again")
	case d.report != nil && d.report.Problem == nil:
		return ok(check, "the daemon may open "+tpmNode)
	case a.mine:
		return ok(check, "you may open "+tpmNode+", as `localpasskey daemon --user` has to")
	case m.serviceUnit() != "":
		return ok(check, "the service alone may open "+tpmNode+", by the group "+a.group)
	default:
		return wrong(check, "you may not open "+tpmNode+", and no service is installed that would",
			"install LocalPasskey's package, or for trials join the group "+a.group+": sudo usermod -aG "+a.group+" $USER, then log in again")
	}
}

// uhidModule looks whether the kernel can make security keys.
func (m Machine) uhidModule() Finding {
	const check = "uhid module"
	release := strings.TrimSpace(m.read("/proc/sys/kernel/osrelease"))
	modules := "/lib/modules/" + release
	switch {
	case m.has("/sys/class/misc/uhid"):
		return ok(check, "the kernel can make security keys")
	case release != "" && (listed(m.read(modules+"/modules.builtin"), "uhid") || listed(m.read(modules+"/modules.dep"), "uhid")):
		return wrong(check, "the kernel module uhid is not loaded, so there is no security key",
			"load it, now and at each start: sudo modprobe uhid; echo uhid | sudo tee /etc/modules-load.d/localpasskey.conf")
	default:
		return wrong(check, "this kernel has no module uhid, so there can be no security key",
			"install the distribution's full kernel (those for the cloud and for containers leave it out); the command line works without")
	}
}

// listed tells whether a list of the kernel's modules names one: a path begins each line.
func listed(list, module string) bool {
	for line := range strings.Lines(list) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if name == module {
			return true
		}
	}
	return false
}

// uhidAccess looks who may make security keys.
func (m Machine) uhidAccess(d *answers) Finding {
	const check = "uhid access"
	a, err := m.accessTo(uhidNode)
	switch {
	case err != nil:
		return notNeeded(check, "there is no device")
	case a.everybody:
		return wrong(check, "every program of every user may open "+uhidNode+", and could play a keyboard",
			"look which rule of udev allows that (grep -r uhid /etc/udev/rules.d), then run: sudo chmod 0660 "+uhidNode)
	case d.status != nil && d.status.Node != "":
		return ok(check, "the daemon may open "+uhidNode)
	case a.mine:
		return ok(check, "you may open "+uhidNode)
	case m.serviceUnit() != "":
		return ok(check, "the service may open "+uhidNode+", by the group "+a.group)
	default:
		return wrong(check, "you may not open "+uhidNode+", and no service is installed that would: there is no security key",
			"install LocalPasskey's package, or for trials: sudo chgrp $(id -g) "+uhidNode+" && sudo chmod 0660 "+uhidNode+" (until the next start)")
	}
}

// udevDirs are where udev reads rules, the first of a name counts.
func udevDirs() []string {
	return []string{"/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"}
}

// udevRules looks for our rules, which the service needs.
func (m Machine) udevRules() Finding {
	const check = "udev rules"
	for _, dir := range udevDirs() {
		i := slices.IndexFunc(m.list(dir), func(name string) bool {
			return strings.Contains(name, "localpasskey") && strings.HasSuffix(name, ".rules")
		})
		if i < 0 {
			continue
		}
		path := filepath.Join(dir, m.list(dir)[i])
		if strings.TrimSpace(m.read(path)) == "" { // also /dev/null, which is how udev's rules are switched off
			return wrong(check, path+" is empty, so udev gives the devices to nobody", "remove it, then run: sudo udevadm control --reload && sudo udevadm trigger")
		}
		return ok(check, path)
	}
	if m.serviceUnit() == "" {
		return notNeeded(check, "the service, which would need them, is not installed")
	}
	return wrong(check, "there are no rules for the service's devices", "install LocalPasskey's package again")
}
