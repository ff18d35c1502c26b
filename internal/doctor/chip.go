package doctor

import (
	"fmt"
	"strings"

	"github.com/localpasskey/localpasskey/internal/ctap/chip"
)

// checkLockout is the one check of the chip that is about other programs.
const checkLockout = "TPM lockout"

// leastRevision is the specification's that has indices which count a PIN, times 100.
const leastRevision = 138

// chip tells what the TPM says of itself, through the daemon.
func (d *answers) chip() []Finding {
	const check = "TPM itself"
	switch r := d.report; {
	case d.status == nil:
		return []Finding{silent(check)}
	case r == nil:
		return []Finding{wrong(check, fmt.Sprintf("the daemon does not tell of its TPM: %v", d.old), "start the daemon anew: it may be of an older version")}
	case r.Problem != nil:
		return []Finding{wrong(check, r.Problem.What, hintOf(r.Problem))}
	default:
		return examined(r, d.status.SetUp && d.status.Problem == nil)
	}
}

// examined tells all that there is to tell of a chip. counts: it counts a PIN already.
func examined(r *chip.Report, counts bool) []Finding {
	found := []Finding{maker(r), selfTest(r)}
	if found[1].State == Problem {
		return found // it answers nothing else
	}
	return append(found, pinIndex(r, counts), ownerPassword(r), lockout(r), storageKey(r))
}

// BeforeSetUp tells whose TPM it is, and what of it a set-up would fail by; hinders is nil
// for nothing.
func BeforeSetUp(r *chip.Report) (made Finding, hinders *Finding) {
	if r.Problem != nil {
		f := wrong("TPM", r.Problem.What, hintOf(r.Problem))
		return f, &f
	}
	found := examined(r, false)
	for _, f := range found[1:] {
		if f.State == Problem && f.Check != checkLockout {
			return found[0], &f
		}
	}
	return found[0], nil
}

// maker tells whose TPM it is, and whether it is one at all.
func maker(r *chip.Report) Finding {
	const check = "TPM maker"
	text := fmt.Sprintf("%s, firmware %s, specification %d.%02d",
		strings.Join(strings.Fields(r.Manufacturer+" "+r.Model), " "), r.Firmware, r.Revision/100, r.Revision%100)
	if software(r) {
		return note(check, text+": this is a software TPM, which promises nothing against whoever holds its state",
			"use it for trials only; on real hardware LocalPasskey uses the chip")
	}
	return ok(check, text)
}

// software recognises the TPMs of emulators and virtual machines by what they call
// themselves: libtpms (swtpm, QEMU), the reference implementation, VMware, Google, Amazon.
func software(r *chip.Report) bool {
	switch r.Manufacturer {
	case "IBM", "VMW", "GOOG", "AMZN", "XCG":
		return true
	case "MSFT": // also Pluton, which is a chip
		return !strings.Contains(r.Model, "Pluton")
	default:
		return false
	}
}

func selfTest(r *chip.Report) Finding {
	const check = "TPM self test"
	switch r.SelfTest {
	case 0:
		return ok(check, "passed")
	case chip.SelfTestNeeded, chip.SelfTestRunning:
		return ok(check, "no fault; some parts are tested when they are first used")
	default:
		return wrong(check, fmt.Sprintf("failed, with code %#x", r.SelfTest), "switch the machine off and on; if it stays so, the chip is broken or needs a firmware update")
	}
}

// pinIndex tells whether the TPM can count PINs. counts: it does already.
func pinIndex(r *chip.Report, counts bool) Finding {
	const check = "TPM counts PINs"
	hint := "look for a firmware update of the TPM"
	switch {
	case len(r.Missing) > 0:
		return wrong(check, "it lacks commands that LocalPasskey needs: "+strings.Join(r.Missing, ", "), hint)
	case r.Revision < leastRevision:
		return wrong(check, fmt.Sprintf("its specification %d.%02d is older than 1.38, which brought indices that count a PIN (PIN_FAIL)", r.Revision/100, r.Revision%100), hint)
	case counts:
		return ok(check, "it does")
	default:
		return ok(check, "it should; `localpasskey setup` tries it out")
	}
}

func ownerPassword(r *chip.Report) Finding {
	const check = "TPM owner password"
	if r.OwnerAuth {
		return wrong(check, "somebody has set one, so set-up and reset are refused; using passkeys works",
			"remove it for the time of a set-up or reset: tpm2_changeauth -c owner -p PASSWORD")
	}
	return ok(check, "none is set")
}

// lockout tells of the lock that is for keys of other programs; ours are counted apart.
func lockout(r *chip.Report) Finding {
	const check = checkLockout
	switch {
	case r.InLockout:
		return wrong(check, "the TPM refuses passwords of other programs for a while; LocalPasskey's PIN is counted apart",
			"find out which program tries wrong ones; waiting ends it, or: tpm2_dictionarylockout --clear-lockout")
	case r.LockoutAuth:
		return ok(check, "not locked, and only who knows a password can unlock or clear the TPM")
	default:
		return ok(check, "not locked; it has no password (lockoutAuth), as on most machines: LocalPasskey does not rely on it")
	}
}

func storageKey(r *chip.Report) Finding {
	const check = "storage key"
	switch r.StorageKey {
	case chip.StorageUsable:
		return ok(check, "at 0x81000001")
	case chip.StorageNone:
		return notNeeded(check, "there is none yet; `localpasskey setup` makes it")
	default:
		return wrong(check, r.StorageProblem, "see what program put it there; `tpm2_evictcontrol -C o -c 0x81000001` removes it, and every key that hangs on it")
	}
}
