package daemon

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// A program has the device open while it asks, and has ended when that is written down.
func TestHintsOutliveTheProgram(t *testing.T) {
	const node = "/dev/full" // a device that hardly anybody opens
	file, err := os.Open(node)
	if err != nil {
		t.Skipf("no device to open: %v", err)
	}
	program := exec.CommandContext(t.Context(), "sleep", "60")
	program.ExtraFiles = []*os.File{file}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	h := new(hints)
	h.look(node)
	entry := ctap.AuditEntry{Door: ctap.DoorHID}
	for deadline := time.Now().Add(10 * time.Second); len(h.fill(entry).Programs) == 0 && time.Now().Before(deadline); {
		h.look(node)
		<-time.After(10 * time.Millisecond)
	}
	_ = program.Process.Kill()
	_ = program.Wait() // It was killed.
	_ = file.Close()
	if got := h.fill(entry); !slices.Contains(got.Programs, "sleep") {
		t.Errorf("the entry names %q", got.Programs)
	}
	for _, other := range []ctap.AuditEntry{
		{Door: ctap.DoorSocket}, {Door: ctap.DoorHID, Programs: []string{"ssh"}},
	} {
		if got := h.fill(other); !slices.Equal(got.Programs, other.Programs) {
			t.Errorf("%+v becomes %+v", other, got)
		}
	}
}
