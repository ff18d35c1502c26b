package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cutFile is in the shared directory when the guest has cut its power: whether its
// test had failed by then.
const cutFile = "cut"

// Boot tells in a guest how often its power has been cut.
func Boot() int {
	n, err := strconv.Atoi(told(bootParameter))
	if err != nil {
		return 0
	}
	return n
}

// Kept is a directory in the guest that outlives its power, and in which it leaves files
// for whoever looks at the test afterwards: see Config.Keep. Nothing else outlives it, but
// for the TPM's state.
func Kept() string { return filepath.Join(share(), keptDir) }

// CutPower cuts the guest's power, as pulling the plug does: neither the kernel nor
// the TPM is told. Then the machine boots again and the test runs anew, with Boot one
// higher. It is called between subtests, which need other names after it than before,
// and does not return.
func CutPower(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(share(), cutFile), []byte(strconv.FormatBool(t.Failed())), 0o600); err != nil {
		t.Fatal(err)
	}
	// An orderly way to power off would have the kernel shut the TPM down.
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("b"), 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lastWords)
	t.Fatal("the power is still on")
}

// takeCut tells the host whether the guest has cut its power, and whether all was well
// until then.
func takeCut(shared string) (well, cut bool, err error) {
	file := filepath.Join(shared, cutFile)
	failed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true, false, nil
	}
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		return false, false, fmt.Errorf("how the guest's power was cut: %w", err)
	}
	return strings.TrimSpace(string(failed)) == "false", true, nil
}
