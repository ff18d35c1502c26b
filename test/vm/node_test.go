//go:build e2e && linux

package vm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/uhid"
	"github.com/localpasskey/localpasskey/test/vm"
)

// patience is how long the kernel gets for what it does by itself.
const patience = 20 * time.Second

// eventually waits until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// nodes gives the hidraw devices that tell themselves apart by unique, by name.
func nodes(t *testing.T, unique string) (names []string) {
	t.Helper()
	all, err := filepath.Glob("/sys/class/hidraw/*/device/uevent")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if bytes.Contains(content, []byte("HID_UNIQ="+unique+"\n")) {
			names = append(names, strings.Split(file, "/")[4])
		}
	}
	return names
}

// nodeNamed waits for the one device of that name and gives its node in /dev.
func nodeNamed(t *testing.T, unique string) string {
	t.Helper()
	var found []string
	eventually(t, "a hidraw node of "+unique, func() bool {
		found = nodes(t, unique)
		return len(found) == 1 && present("/dev/"+found[0])
	})
	return "/dev/" + found[0]
}

func present(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newDevice(t *testing.T, unique string) (*uhid.Device, string) {
	t.Helper()
	d, err := uhid.Create("/dev/uhid", uhid.Info{Name: "LocalPasskey", Place: "1000", Unique: unique})
	check(t, err)
	t.Cleanup(func() { check(t, d.Close()) })
	return d, nodeNamed(t, unique)
}

// TestNode holds internal/uhid to a real kernel.
func TestNode(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{})
		return
	}
	t.Run("described", described)
	t.Run("reports both ways", bothWays)
	t.Run("odd writes", oddWrites)
	t.Run("feature reports are refused at once", featureReports)
	t.Run("without a driver", withoutDriver)
	t.Run("withdrawn", withdrawn)
	t.Run("two of them", twoOfThem)
}

// The kernel and udev see a FIDO key on USB.
func described(t *testing.T) {
	_, path := newDevice(t, "descr-ü")
	sys := "/sys/class/hidraw/" + filepath.Base(path) + "/device/"
	uevent, err := os.ReadFile(sys + "uevent")
	check(t, err)
	t.Logf("%s", uevent)
	for _, line := range []string{
		"DRIVER=hid-generic", "HID_ID=0003:0000F1D0:00000001", "HID_NAME=LocalPasskey", "HID_PHYS=1000", "HID_UNIQ=descr-ü",
	} {
		if !bytes.Contains(uevent, []byte(line+"\n")) {
			t.Errorf("no line %s", line)
		}
	}
	descriptor, err := os.ReadFile(sys + "report_descriptor")
	check(t, err)
	if got := fmt.Sprintf("%x", descriptor); got != "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0" {
		t.Errorf("report descriptor %s", got)
	}
}

// opened opens a node for reading and writing; reads end with the test.
func opened(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func pattern(first byte) []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = first ^ byte(i)
	}
	return b
}

// expect reads one report and compares it.
func expect(t *testing.T, read func() ([]byte, error), want []byte) {
	t.Helper()
	got, err := read()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x and %v, want %x", got, err, want)
	}
}

func from(file *os.File) func() ([]byte, error) {
	return func() ([]byte, error) {
		b := make([]byte, 128)
		n, err := file.Read(b)
		return b[:n], err
	}
}

// What one client writes the device reads; what the device writes all clients read.
func bothWays(t *testing.T) {
	d, path := newDevice(t, "both")
	one, other := opened(t, path), opened(t, path)
	for i := range byte(20) {
		_, err := one.Write(append([]byte{0}, pattern(i)...))
		check(t, err)
		expect(t, d.ReadReport, pattern(i))
		check(t, d.WriteReport(pattern(0x80|i)))
		expect(t, from(one), pattern(0x80|i))
		expect(t, from(other), pattern(0x80|i))
	}
}

// What is no report of this device does not reach it, and does not end it.
func oddWrites(t *testing.T) {
	d, path := newDevice(t, "odd")
	client := opened(t, path)
	odd := [][]byte{{0, 1}, make([]byte, 64), make([]byte, 66), append([]byte{7}, pattern(1)...), make([]byte, 4096)}
	for _, written := range append(odd, append([]byte{0}, pattern(2)...)) {
		_, err := client.Write(written)
		check(t, err)
	}
	expect(t, d.ReadReport, pattern(2))
}

// From linux/hidraw.h, for buffers of 65 bytes: HIDIOCSFEATURE and HIDIOCGFEATURE.
const (
	setFeature = 3<<30 | 65<<16 | 'H'<<8 | 0x06
	getFeature = 3<<30 | 65<<16 | 'H'<<8 | 0x07
)

// The kernel makes a client wait five seconds for a device that does not answer, and
// then gives the same error. So many requests would take minutes.
func featureReports(t *testing.T) {
	d, path := newDevice(t, "feature")
	client := opened(t, path)
	go func() { _, _ = d.ReadReport() }() // answers until the device is closed
	done := make(chan []error, 1)
	go func() {
		var errs []error
		for range 20 {
			for _, request := range []uint{setFeature, getFeature} {
				errs = append(errs, feature(client, request))
			}
		}
		done <- errs
	}()
	select {
	case errs := <-done:
		for _, err := range errs {
			if !errors.Is(err, unix.EIO) {
				t.Errorf("got %v, want EIO", err)
			}
		}
	case <-time.After(patience):
		t.Fatal("requests for feature reports are not answered")
	}
}

func feature(client *os.File, request uint) error {
	buffer := make([]byte, 65)
	raw, err := client.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(unsafe.Pointer(&buffer[0])))
	})
	if err != nil {
		return err
	}
	return errno
}

// A device that somebody takes the driver from and gives it back goes on.
func withoutDriver(t *testing.T) {
	d, path := newDevice(t, "driver")
	device, err := filepath.EvalSymlinks("/sys/class/hidraw/" + filepath.Base(path) + "/device")
	check(t, err)
	const driver = "/sys/bus/hid/drivers/hid-generic/"
	check(t, os.WriteFile(driver+"unbind", []byte(filepath.Base(device)), 0))
	if found := nodes(t, "driver"); len(found) != 0 {
		t.Fatalf("there is still %s", found)
	}
	check(t, d.WriteReport(pattern(1)))
	check(t, os.WriteFile(driver+"bind", []byte(filepath.Base(device)), 0))
	client := opened(t, nodeNamed(t, "driver"))
	_, err = client.Write(append([]byte{0}, pattern(2)...))
	check(t, err)
	expect(t, d.ReadReport, pattern(2))
	check(t, d.WriteReport(pattern(3)))
	expect(t, from(client), pattern(3))
}

// When Close has returned there is no node, and a client that waits gets an error.
func withdrawn(t *testing.T) {
	d, path := newDevice(t, "gone")
	client := opened(t, path)
	read := make(chan error, 1)
	go func() {
		_, err := client.Read(make([]byte, 64))
		read <- err
	}()
	check(t, d.Close())
	if present(path) || len(nodes(t, "gone")) != 0 {
		t.Errorf("%s is still there", path)
	}
	select {
	case err := <-read:
		if !errors.Is(err, unix.EIO) {
			t.Errorf("the client's read ended with %v, want EIO", err)
		}
	case <-time.After(patience):
		t.Error("the client waits for ever")
	}
	if err := d.WriteReport(pattern(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write gave %v, want os.ErrClosed", err)
	}
}

func twoOfThem(t *testing.T) {
	first, firstPath := newDevice(t, "first")
	second, secondPath := newDevice(t, "second")
	_, err := opened(t, secondPath).Write(append([]byte{0}, pattern(2)...))
	check(t, err)
	_, err = opened(t, firstPath).Write(append([]byte{0}, pattern(1)...))
	check(t, err)
	expect(t, first.ReadReport, pattern(1))
	expect(t, second.ReadReport, pattern(2))
}
