//go:build e2e && linux

package clients

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// scriptedProgram is the authenticator with a scripted person.
const scriptedProgram = "github.com/localpasskey/localpasskey/test/authenticatord"

// scripted is a running authenticatord and the node that clients open.
type scripted struct {
	path string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// plug starts an authenticator that keeps its passkeys in dir.
func plug(t *testing.T, dir string, flags ...string) *scripted {
	t.Helper()
	args := append([]string{"-uhid", "-tpm", "device:/dev/tpmrm0", "-i-know", "-state", dir}, flags...)
	k := &scripted{cmd: exec.Command(vm.Program(scriptedProgram), args...)} // it outlives t's context, until the clean-up
	k.cmd.Stderr = &k.log
	out, err := k.cmd.StdoutPipe()
	check(t, err)
	check(t, k.cmd.Start())
	t.Cleanup(func() { k.pull(t, unix.SIGTERM) })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if node, ok := strings.CutPrefix(lines.Text(), "device "); ok {
			k.path = node
		}
	}
	if k.path == "" {
		t.Fatalf("the authenticator has no device: %s", k.log.String())
	}
	settle(t)
	return k
}

// settle waits until udev knows what the kernel has made.
func settle(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "udevadm", "settle").CombinedOutput(); err != nil {
		t.Fatalf("udevadm settle: %v: %s", err, out)
	}
}

// pull ends the authenticator by a signal. A second time it does nothing.
func (k *scripted) pull(t *testing.T, signal os.Signal) {
	t.Helper()
	if k.cmd.ProcessState != nil {
		return
	}
	check(t, k.cmd.Process.Signal(signal))
	err := k.cmd.Wait()
	if signal == unix.SIGTERM && err != nil {
		t.Errorf("the authenticator ended with %v", err)
	}
	if k.log.Len() > 0 {
		t.Logf("the authenticator's log:\n%s", k.log.String())
	}
}

// present tells whether a node is there.
func present(node string) bool {
	_, err := os.Stat(node)
	return err == nil
}
