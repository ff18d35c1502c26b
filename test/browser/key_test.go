//go:build e2e && linux

package browser_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/test/vm"
)

// authenticatord is the authenticator that browsers talk to, with its scripted person.
const authenticatord = "github.com/localpasskey/localpasskey/test/authenticatord"

// patience is how long the kernel and the authenticator get for what is no ceremony.
const patience = 20 * time.Second

// key is a running authenticatord: a HID device of this machine's kernel, on its TPM.
type key struct {
	cmd     *exec.Cmd
	control string
	log     bytes.Buffer
}

// plug starts an authenticator that keeps its store in state.
func plug(t *testing.T, state string, flags ...string) *key {
	t.Helper()
	args := []string{"-uhid", "-tpm", "device:/dev/tpmrm0", "-i-know", "-control", "127.0.0.1:0", "-state", state, "-pin", pin, "-v"}
	k := &key{cmd: exec.Command(vm.Program(authenticatord), append(args, flags...)...)} // it outlives t's context, until the clean-up
	k.cmd.Stderr = &k.log
	out, err := k.cmd.StdoutPipe()
	check(t, err)
	check(t, k.cmd.Start())
	t.Cleanup(func() { k.pull(t) })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		if address, ok := strings.CutPrefix(lines.Text(), "control "); ok {
			k.control = address
		}
	}
	if lines.Text() != "ready" {
		t.Fatalf("the authenticator ended before it was ready: %s", k.log.String())
	}
	settle(t)
	return k
}

// pull ends the authenticator. A second time it does nothing.
func (k *key) pull(t *testing.T) {
	t.Helper()
	if k.cmd.ProcessState != nil {
		return
	}
	check(t, k.cmd.Process.Signal(unix.SIGTERM))
	if err := k.cmd.Wait(); err != nil {
		t.Errorf("the authenticator ended with %v", err)
	}
	if k.log.Len() > 0 {
		t.Logf("the authenticator's log:\n%s", k.log.String())
	}
}

// get asks the control.
func (k *key) get(t *testing.T, path string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.control+path, http.NoBody)
	check(t, err)
	response, err := http.DefaultClient.Do(request)
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", path, response.Status, body)
	}
	return body
}

// tell changes what the person does, or the power.
func (k *key) tell(t *testing.T, path string) {
	t.Helper()
	k.get(t, path)
	if path == "/power/on" {
		settle(t)
	}
}

// question is what the person was asked.
type question struct {
	Operation, RP string
	Accounts      []string
}

// asked waits until the person was asked something since the last time.
func (k *key) asked(t *testing.T) []question {
	t.Helper()
	var questions []question
	eventually(t, "a question to the person", func() bool {
		check(t, json.Unmarshal(k.get(t, "/asked"), &questions))
		return len(questions) > 0
	})
	return questions
}

// setPIN sets the first PIN, as a program for that would.
func setPIN(t *testing.T, pin string) {
	t.Helper()
	withKey(t, func(p ctap.Platform) { check(t, p.SetPIN(t.Context(), secret.Of([]byte(pin)))) })
}

// withKey speaks to the key at its node, as a platform.
func withKey(t *testing.T, do func(p ctap.Platform)) {
	t.Helper()
	file, err := os.OpenFile(node(t), os.O_RDWR, 0)
	check(t, err)
	defer file.Close()
	hid, err := hidtest.NewHID(hidtest.Hidraw{File: file})
	check(t, err)
	do(ctap.Platform{Authenticator: ctap.NewClient(hid), Protocol: pinuv.Two})
}

// node waits for the one node in /dev that is our device's.
func node(t *testing.T) string {
	t.Helper()
	var found []string
	eventually(t, "one hidraw node of the authenticator", func() bool {
		found = nodes(t)
		if len(found) != 1 {
			return false
		}
		_, err := os.Stat(found[0])
		return err == nil
	})
	return found[0]
}

// nodes gives the authenticator's nodes.
func nodes(t *testing.T) (paths []string) {
	t.Helper()
	all, err := filepath.Glob("/sys/class/hidraw/*/device/uevent")
	check(t, err)
	for _, file := range all {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		check(t, err)
		if slices.Contains(strings.Split(string(content), "\n"), "HID_NAME=LocalPasskey authenticatord") {
			paths = append(paths, "/dev/"+strings.Split(file, "/")[4])
		}
	}
	return paths
}

// settle waits until a device that was made can be found by whoever asks udev.
func settle(t *testing.T) {
	t.Helper()
	node(t)
	if out, err := exec.CommandContext(t.Context(), "udevadm", "settle").CombinedOutput(); err != nil {
		t.Fatalf("udevadm settle: %v: %s", err, out)
	}
}

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
