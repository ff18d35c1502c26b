package vm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memoryDir is the guest's copy of the shared directory where the test sleeps.
const memoryDir = "/dev/shm/vm"

// asleepFile is guest.sh's other half for such a test.
const asleepFile = "asleep.sh"

// Sleep suspends the guest to memory and has its clock wake it after some seconds. It
// needs Config.Sleeps. From the first sleep on the guest has no disks: only what is below
// t.TempDir and the programs of Config can be used.
func Sleep(t *testing.T, seconds int) {
	t.Helper()
	if share() != memoryDir {
		t.Fatal("this guest would lose its disks; see Config.Sleeps")
	}
	const alarm = "/sys/class/rtc/rtc0/wakealarm"
	for _, set := range []struct{ file, value string }{
		{alarm, "0"}, {alarm, fmt.Sprintf("+%d", seconds)}, {"/sys/power/state", "mem"},
	} {
		if err := os.WriteFile(set.file, []byte(set.value), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// intoMemory puts all that is needed into the shared directory, of which the guest makes
// a copy. It gives the test's own program and the directory to run it in.
func intoMemory(shared, self string) (program, dir string, err error) {
	if !isStatic(self) {
		return "", "", errors.New("this test's binary needs libraries, which would be gone after the sleep; hint: CGO_ENABLED=0")
	}
	busybox, err := staticBusybox()
	if err != nil {
		return "", "", err
	}
	script, err := scripts.ReadFile(asleepFile)
	if err != nil {
		return "", "", err
	}
	return filepath.Join(memoryDir, "test"), memoryDir, errors.Join(
		copyFile(filepath.Join(shared, "test"), self),
		copyFile(filepath.Join(shared, "busybox"), busybox),
		os.WriteFile(filepath.Join(shared, asleepFile), script, 0o600),
	)
}

// fromConsole finds on the console what asleep.sh has said, and writes it where other
// tests leave it.
func (m *machine) fromConsole() error {
	console, err := os.ReadFile(filepath.Join(m.dir, consoleFile))
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(console), "\r\n", "\n")
	_, text, _ = strings.Cut(text, "status: ")
	status, text, _ := strings.Cut(text, "\noutput:\n")
	encoded, _, ended := strings.Cut(text, "end\n")
	output, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(encoded, "\n", ""))
	if !ended || err != nil {
		return errors.Join(errors.New("the console does not say how the guest's test ended"), err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(m.share(), outputFile), output, 0o600),
		os.WriteFile(filepath.Join(m.share(), statusFile), []byte(status), 0o600),
	)
}
