package uhid

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// kernel is the other end of a device, played by the test over a socket that keeps
// the bounds of messages as /dev/uhid does. What the kernel itself makes of it is
// tested in test/vm.
type kernel struct {
	t    *testing.T
	file *os.File
}

func pair(t *testing.T) (node *os.File, k *kernel) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	node, far := os.NewFile(uintptr(fds[0]), "uhid"), os.NewFile(uintptr(fds[1]), "kernel")
	t.Cleanup(func() {
		_ = node.Close() // most tests have done so
		_ = far.Close()
	})
	return node, &kernel{t: t, file: far}
}

// newDevice makes a device and has the kernel take it.
func newDevice(t *testing.T) (*Device, *kernel) {
	t.Helper()
	node, k := pair(t)
	info := Info{Name: "LocalPasskey", Unique: "1000"}
	d, err := createOn(node, info)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.next(); !bytes.Equal(got, encodeCreate(info)) {
		t.Fatalf("the device begins with %x", got)
	}
	return d, k
}

func (k *kernel) next() []byte {
	k.t.Helper()
	b := make([]byte, 8192)
	n, err := k.file.Read(b)
	if err != nil {
		k.t.Fatal(err)
	}
	return b[:n]
}

func (k *kernel) tell(event []byte) {
	k.t.Helper()
	if _, err := k.file.Write(event); err != nil {
		k.t.Fatal(err)
	}
}

// A client's reports come through in order, whatever else the kernel tells or
// another client writes, and every request for a feature report is refused.
func TestReadReport(t *testing.T) {
	t.Parallel()
	little(t)
	d, k := newDevice(t)
	first, second := sixtyFour(1), sixtyFour(2)
	k.tell(kernelEvent(t, "02000000"))
	k.tell(kernelEvent(t, "04000000"))
	k.tell(outputEvent(t, []byte("too short"), 9, 1))
	k.tell(outputEvent(t, append([]byte{0}, first...), 65, 1))
	k.tell(kernelEvent(t, "09000000 07000000 00 00"))
	k.tell(outputEvent(t, append([]byte{3}, first...), 65, 1))
	k.tell(kernelEvent(t, "0d000000 08000000 00 00 0100 ff"))
	k.tell(kernelEvent(t, "05000000"))
	k.tell(kernelEvent(t, "03000000"))
	k.tell(kernelEvent(t, "ffffffff"))
	k.tell(outputEvent(t, append([]byte{0}, second...), 65, 1))
	for _, want := range [][]byte{first, nil, second} {
		got, err := d.ReadReport()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x", got, want)
		}
	}
	for _, want := range []string{"0a000000 07000000 0500 0000", "0e000000 08000000 0500"} {
		if got := k.next(); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("answered %x, want %s", got, want)
		}
	}
}

func TestReadReportFails(t *testing.T) {
	t.Parallel()
	d, k := newDevice(t)
	k.tell([]byte{6, 0})
	if report, err := d.ReadReport(); !errors.Is(err, errEvent) {
		t.Errorf("got %x and %v, want errEvent", report, err)
	}
}

func TestWriteReport(t *testing.T) {
	t.Parallel()
	little(t)
	d, k := newDevice(t)
	report := sixtyFour(9)
	for _, wrong := range [][]byte{nil, report[:63], append(sixtyFour(0), 0)} {
		if err := d.WriteReport(wrong); err == nil {
			t.Errorf("took a report of %d bytes", len(wrong))
		}
	}
	if err := d.WriteReport(report); err != nil {
		t.Fatal(err)
	}
	want := append(unhex(t, "0c000000 4000"), report...)
	if got := k.next(); !bytes.Equal(got, want) {
		t.Errorf("sent %x, want %x", got, want)
	}
}

// Close tells the kernel, once, and ends a read that waits.
func TestClose(t *testing.T) {
	t.Parallel()
	little(t)
	d, k := newDevice(t)
	ended := make(chan error, 1)
	go func() {
		_, err := d.ReadReport()
		ended <- err
	}()
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("the read ended with %v, want os.ErrClosed", err)
	}
	if got := k.next(); !bytes.Equal(got, unhex(t, "01000000")) {
		t.Errorf("told the kernel %x", got)
	}
	if n, err := k.file.Read(make([]byte, 1)); n != 0 {
		t.Errorf("more came after the end: %d bytes, %v", n, err)
	}
	if err := d.WriteReport(sixtyFour(0)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after Close gave %v, want os.ErrClosed", err)
	}
}

// A kernel that takes no device gives an error, and the node is closed.
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	node, k := pair(t)
	if err := k.file.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err := createOn(node, Info{Name: "x"}); d != nil || !errors.Is(err, unix.EPIPE) {
		t.Errorf("got %v and %v, want EPIPE", d, err)
	}
	if err := node.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the node was still open: %v", err)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	right := []Info{
		{Name: "LocalPasskey"},
		{Name: strings.Repeat("n", 127), Unique: strings.Repeat("u", 63)},
		{Name: "Schlüssel 🔑", Unique: "uid 1000"},
	}
	for _, info := range right {
		if err := info.check(); err != nil {
			t.Errorf("%+q: %v", info, err)
		}
	}
	wrong := []Info{
		{},
		{Unique: "no name"},
		{Name: strings.Repeat("n", 128)},
		{Name: "n", Unique: strings.Repeat("u", 64)},
		{Name: "n", Place: strings.Repeat("p", 64)},
		{Name: "n", Place: "1000\nOWNER=1001"},
		{Name: "n", Unique: "\xff"},
		{Name: "cut off\xc3"},
		{Name: "a\nHID_ID=0003:00000000:00000000"},
		{Name: "n", Unique: "a\x00b"},
		{Name: "\u202egnp"},
	}
	for _, info := range wrong {
		// A path that would answer otherwise: the texts are looked at first.
		if _, err := Create("/nowhere", info); !errors.Is(err, errInfo) {
			t.Errorf("%+q: got %v, want errInfo", info, err)
		}
	}
}

func TestCreateExplains(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "uhid")
	_, err := Create(missing, Info{Name: "n"})
	problem, ok := errors.AsType[*ctap.Problem](err)
	if !ok || !strings.Contains(problem.Hint, "modprobe uhid") || !strings.Contains(problem.What, missing) {
		t.Errorf("no module: %#v", err)
	}
	cases := map[syscall.Errno]string{
		unix.ENOENT: "modprobe uhid",
		unix.ENODEV: "modprobe uhid", // a node that udev has made beforehand
		unix.EACCES: "daemon",
		unix.EPERM:  "daemon",
		unix.EMFILE: "journalctl",
	}
	for errno, hint := range cases {
		err := noDevice("/dev/uhid", &fs.PathError{Op: "open", Path: "/dev/uhid", Err: errno})
		problem, ok := errors.AsType[*ctap.Problem](err)
		if !ok || !strings.Contains(problem.Hint, hint) || !errors.Is(err, errno) || ctap.StatusOf(err) != ctap.Other {
			t.Errorf("%v: %s", errno, fmt.Sprintf("%#v", err))
		}
	}
}
