package tpm

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"
)

// TestDeviceSendsOnce: that a TPM is busy is for Patient to wait for, which knows when
// the request is cancelled.
func TestDeviceSendsOnce(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	must(t, err)
	defer unix.Close(ends[1])
	d := &device{path: "a socket", fd: ends[0]}
	busy := answer(tpm2.TPMRCRetry)
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
	must(t, unix.SetNonblock(ends[1], true))
	if n, err := unix.Read(ends[1], make([]byte, 1)); err == nil {
		t.Errorf("%d bytes were sent again", n)
	}
	must(t, d.Close())
	if _, err := d.Send(nil); err == nil {
		t.Error("sent on a closed descriptor")
	}
}
