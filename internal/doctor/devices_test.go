package doctor

import (
	"os"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
)

func TestTPMDriver(t *testing.T) {
	b := build(t)
	expect(t, b.tpmDriver(), Problem, "found no TPM")
	b.file("/sys/class/tpm/tpm0/tpm_version_major", "2\n", 0o444)
	expect(t, b.tpmDriver(), OK, "found a TPM")
	b.dir("/sys/bus/drivers/tpm_crb")
	b.link("/sys/class/tpm/tpm0/device/driver", "/sys/bus/drivers/tpm_crb")
	expect(t, b.tpmDriver(), OK, "its driver tpm_crb")
	b.file("/sys/class/tpm/tpm0/tpm_version_major", "1\n", 0o444)
	expect(t, b.tpmDriver(), Problem, "1.2")
}

func TestTPMDevice(t *testing.T) {
	b := build(t)
	expect(t, b.tpmDevice(), Problem, "no /dev/tpmrm0")
	b.file("/dev/tpm0", "", 0o600)
	expect(t, b.tpmDevice(), Problem, "which programs share")
	b.file("/dev/tpmrm0", "", 0o600)
	expect(t, b.tpmDevice(), OK, "/dev/tpmrm0")
}

// owned gives a device to root and a group, by number.
func (b built) owned(name string, gid int, mode os.FileMode) {
	b.Helper()
	b.file(name, "", 0o600)
	if err := os.Chown(b.at(name), -1, gid); err != nil {
		b.Skipf("only root can give a file away: %v", err)
	}
	if err := os.Chmod(b.at(name), mode); err != nil {
		b.Fatal(err)
	}
}

func TestTPMAccess(t *testing.T) {
	silence, works := &answers{}, &answers{status: &ctap.StatusResponse{}, report: &chip.Report{}}
	b := build(t)
	expect(t, b.tpmAccess(silence), NotNeeded, "no device")
	b.file("/etc/group", "root:x:0:\ntss:x:108:\n", 0o644)
	b.owned("/dev/tpmrm0", 108, 0o660)
	expect(t, b.tpmAccess(silence), Problem, "you may not open")
	if f := b.tpmAccess(silence); f.Hint != "install LocalPasskey's package, or for trials join the group tss: sudo usermod -aG tss $USER, then log in again" {
		t.Errorf("hint %q", f.Hint)
	}
	expect(t, b.tpmAccess(works), OK, "the daemon may")
	b.Groups = append(b.Groups, 108)
	expect(t, b.tpmAccess(silence), OK, "you may open")

	b.file("/usr/lib/systemd/system/localpasskey.service", "[Service]\n", 0o644)
	expect(t, b.tpmAccess(works), Problem, "your own programs may open")
	b.Groups = nil
	expect(t, b.tpmAccess(silence), OK, "by the group tss")

	b.owned("/dev/tpmrm0", 108, 0o666)
	expect(t, b.tpmAccess(works), Problem, "every user")
}

func TestUHIDModule(t *testing.T) {
	b := build(t)
	expect(t, b.uhidModule(), Problem, "has no module uhid")
	b.file("/proc/sys/kernel/osrelease", "6.1.0-test\n", 0o444)
	b.file("/lib/modules/6.1.0-test/modules.dep", "kernel/drivers/hid/hid.ko.xz:\n", 0o644)
	expect(t, b.uhidModule(), Problem, "has no module uhid")
	b.file("/lib/modules/6.1.0-test/modules.dep", "kernel/drivers/hid/uhid.ko.xz: kernel/drivers/hid/hid.ko.xz\n", 0o644)
	expect(t, b.uhidModule(), Problem, "not loaded")
	b.dir("/sys/class/misc/uhid")
	expect(t, b.uhidModule(), OK, "can make security keys")
}

func TestUHIDAccess(t *testing.T) {
	silence := &answers{}
	b := build(t)
	expect(t, b.uhidAccess(silence), NotNeeded, "no device")
	b.owned("/dev/uhid", 977, 0o660)
	expect(t, b.uhidAccess(silence), Problem, "you may not open")
	expect(t, b.uhidAccess(&answers{status: &ctap.StatusResponse{Node: "/dev/hidraw3"}}), OK, "the daemon may")
	b.file("/etc/systemd/system/localpasskey.service", "[Service]\n", 0o644)
	expect(t, b.uhidAccess(silence), OK, "by the group 977")
	b.Groups = []int{977}
	expect(t, b.uhidAccess(silence), OK, "you may open")
	b.owned("/dev/uhid", 977, 0o666)
	expect(t, b.uhidAccess(silence), Problem, "every user")
}

func TestAccessList(t *testing.T) {
	b := build(t)
	b.file("/dev/tpmrm0", "", 0o600)
	b.UID = os.Getuid()
	if a, err := b.accessTo("/dev/tpmrm0"); err != nil || !a.mine || a.everybody {
		t.Errorf("the owner: %+v, %v", a, err)
	}
}

func TestUdevRules(t *testing.T) {
	b := build(t)
	expect(t, b.udevRules(), NotNeeded, "not installed")
	b.file("/usr/lib/systemd/system/localpasskey.service", "[Service]\n", 0o644)
	b.file("/usr/lib/udev/rules.d/60-fido-id.rules", "x", 0o644)
	expect(t, b.udevRules(), Problem, "no rules")
	b.file("/usr/lib/udev/rules.d/65-localpasskey.rules", "KERNEL==\"uhid\"\n", 0o644)
	expect(t, b.udevRules(), OK, "/usr/lib/udev/rules.d/65-localpasskey.rules")
	b.link("/etc/udev/rules.d/65-localpasskey.rules", "/dev/null")
	expect(t, b.udevRules(), Problem, "/etc/udev/rules.d/65-localpasskey.rules is empty")
}

func TestService(t *testing.T) {
	for _, c := range []struct {
		name string
		look func(Machine) Finding
		none string
	}{
		{"localpasskey.service", Machine.service, "not installed"},
		{"localpasskey.socket", Machine.socketUnit, "makes its socket itself"},
	} {
		b := build(t)
		expect(t, c.look(b.Machine), NotNeeded, c.none)
		unit := "/usr/lib/systemd/system/" + c.name
		b.file(unit, "[Unit]\n", 0o644)
		expect(t, c.look(b.Machine), Problem, "not started with the system")
		b.link("/etc/systemd/system/multi-user.target.wants/"+c.name, unit)
		expect(t, c.look(b.Machine), OK, unit)
		b.link("/etc/systemd/system/"+c.name, "/dev/null")
		expect(t, c.look(b.Machine), Problem, "forbids")
	}
}
