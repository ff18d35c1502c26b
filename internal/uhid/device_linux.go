package uhid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Info is what the kernel shows of a device. Its texts are printable UTF-8 without
// control characters: the kernel prints them into lines that udev reads.
type Info struct {
	// Name is what clients list, at most 127 bytes.
	Name string
	// Place is where it is attached (HID_PHYS), at most 63 bytes; it may be empty. A
	// rule of udev's can tell by it whose a device is.
	Place string
	// Unique tells devices of one name apart, at most 63 bytes; it may be empty.
	Unique string
}

// errInfo is what Create says of texts that the kernel must not get.
var errInfo = errors.New("a HID device's texts are printable, and a name has 1–127 bytes, a place and what tells it apart 0–63")

func (i Info) check() error {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case i.Name == "", len(i.Name) >= nameBytes, len(i.Unique) >= uniqBytes, len(i.Place) >= physBytes,
		strings.ContainsFunc(i.Name, odd), strings.ContainsFunc(i.Unique, odd), strings.ContainsFunc(i.Place, odd):
		return errInfo
	}
	return nil
}

// Device is a HID device in the kernel. One goroutine may read reports while others
// write them.
type Device struct {
	file   *os.File
	unique string
	close  func() error
}

// Create makes a device through the node at path, "/dev/uhid". The kernel makes its
// /dev/hidrawN a moment later. Errors are *ctap.Problem where a person can help.
func Create(path string, info Info) (*Device, error) {
	if err := info.check(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, noDevice(path, err)
	}
	return createOn(file, info)
}

// createOn makes the device through an open node, which is the Device's from then on.
func createOn(file *os.File, info Info) (*Device, error) {
	d := &Device{file: file, unique: info.Unique}
	d.close = sync.OnceValue(d.withdraw)
	if err := d.send(encodeCreate(info)); err != nil {
		return nil, errors.Join(fmt.Errorf("the kernel refuses the HID device: %w", err), file.Close())
	}
	return d, nil
}

// ReadReport gives the next report that a client has written, 64 bytes without
// report number, or none (and no error) when the last client has closed the node. It waits for one until Close, after which it fails with
// os.ErrClosed.
func (d *Device) ReadReport() ([]byte, error) {
	buffer := make([]byte, eventBytes)
	for {
		n, err := d.file.Read(buffer)
		if err != nil {
			return nil, err
		}
		e, err := decode(buffer[:n])
		if err != nil {
			return nil, err
		}
		if e.report != nil || e.kind == closed {
			return e.report, nil
		}
		if refusal := encodeRefusal(e); refusal != nil {
			if err := d.send(refusal); err != nil {
				return nil, err
			}
		}
	}
}

// WriteReport sends a report of 64 bytes to every client that has the device open;
// with none it goes nowhere, as on a bus.
func (d *Device) WriteReport(report []byte) error {
	if len(report) != reportBytes {
		return fmt.Errorf("a report of %d bytes", len(report))
	}
	return d.send(encodeInput(report))
}

// Close withdraws the device: its nodes are gone when Close returns. Clients that
// hold them open get errors. A second Close does nothing more.
func (d *Device) Close() error { return d.close() }

func (d *Device) withdraw() error {
	return errors.Join(d.send(head(destroy)), d.file.Close())
}

// sysfsPause is how often the kernel's list of devices is looked through for one that is
// to appear, which takes it a few milliseconds.
const sysfsPause = 5 * time.Millisecond

// Node gives the path of the node by which programs reach the device, "/dev/hidrawN",
// as soon as the kernel has made it. It needs Info.Unique to tell devices apart. When ctx
// ends first the error is a *ctap.Problem.
func (d *Device) Node(ctx context.Context) (string, error) {
	for {
		node, err := d.find()
		if node != "" || err != nil {
			return node, err
		}
		select {
		case <-time.After(sysfsPause):
		case <-ctx.Done():
			return "", &ctap.Problem{
				Status: ctap.Other, Cause: ctx.Err(),
				What: "the kernel has made a HID device and no node for it",
				Hint: "load its driver: sudo modprobe hid-generic; look at `journalctl -k | grep -i hid`",
			}
		}
	}
}

// find looks for the node once; "" where it is not there yet.
func (d *Device) find() (string, error) {
	files, err := filepath.Glob("/sys/class/hidraw/*/device/uevent")
	if err != nil {
		return "", err
	}
	line := []byte("HID_UNIQ=" + d.unique + "\n")
	for _, file := range files {
		if content, err := os.ReadFile(file); err != nil || !bytes.Contains(content, line) {
			continue // another, or one that is gone meanwhile
		}
		node := filepath.Join("/dev", filepath.Base(filepath.Dir(filepath.Dir(file))))
		if _, err := os.Stat(node); err == nil {
			return node, nil
		}
	}
	return "", nil
}

// send writes one event; the kernel takes it whole or not at all.
func (d *Device) send(event []byte) error {
	_, err := d.file.Write(event)
	return err
}

// noDevice explains why the node could not be opened.
func noDevice(path string, err error) error {
	p := &ctap.Problem{Status: ctap.Other, Cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		p.What = "this kernel offers no devices made by programs (" + path + ")"
		p.Hint = "load its module: sudo modprobe uhid; to have it at every start: echo uhid | sudo tee /etc/modules-load.d/uhid.conf"
	case errors.Is(err, fs.ErrPermission):
		p.What = "no permission to make a HID device (" + path + ")"
		p.Hint = "let the daemon do it (`systemctl status localpasskey`); whoever can open this file can type on your keyboard, so do not open it up"
	default:
		p.What = path + " cannot be opened"
		p.Hint = "look at `journalctl -k | grep -i uhid`"
	}
	return p
}
