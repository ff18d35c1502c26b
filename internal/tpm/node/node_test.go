package node

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// TestDeviceSendsOnce: that a TPM is busy is for Patient to wait for, which knows when
// the request is cancelled.
func TestDeviceSendsOnce(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	check(t, err)
	defer unix.Close(ends[1])
	d := &device{path: "a socket", fd: ends[0]}
	busy := tpm2.Marshal(tpm2.TPMRspHeader{Tag: tpm2.TPMSTNoSessions, Length: 10, ResponseCode: tpm2.TPMRCRetry})
	received := make(chan []byte, 1)
	go func() {
		cmd := make([]byte, maxResponseBytes)
		n, err := unix.Read(ends[1], cmd)
		if err == nil {
			time.Sleep(50 * time.Millisecond) // Send has to wait
			_, err = unix.Write(ends[1], busy)
		}
		if err != nil {
			t.Error(err)
		}
		received <- cmd[:n]
	}()
	rsp, err := d.Send([]byte("a command"))
	if err != nil || !bytes.Equal(rsp, busy) {
		t.Errorf("got %x, %v", rsp, err)
	}
	if cmd := <-received; string(cmd) != "a command" {
		t.Errorf("sent %q", cmd)
	}
	check(t, unix.SetNonblock(ends[1], true))
	if n, err := unix.Read(ends[1], make([]byte, 1)); err == nil {
		t.Errorf("%d bytes were sent again", n)
	}
	check(t, d.Close())
	if _, err := d.Send(nil); err == nil {
		t.Error("sent on a closed descriptor")
	}
}

func TestProblems(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "tpmrm0"))(t.Context())
	if p := explained(t, err); !strings.Contains(p.What, "no TPM") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if p := explained(t, noDevice("/dev/tpmrm0", syscall.EACCES)); !strings.Contains(p.Hint, "tss") {
		t.Errorf("%+v", p)
	}
	if p := explained(t, noDevice("/dev/tpm0", syscall.EBUSY)); !strings.Contains(p.Hint, "/dev/tpmrm0") {
		t.Errorf("%+v", p)
	}
	_, err = Open(t.TempDir())(t.Context())
	_ = explained(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Open("/dev/null")(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// explained is the problem in err, with something for a person to do.
func explained(t *testing.T, err error) *ctap.Problem {
	t.Helper()
	p, ok := errors.AsType[*ctap.Problem](err)
	if !ok || p.What == "" || p.Hint == "" {
		t.Fatalf("no problem with a hint: %v", err)
	}
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
