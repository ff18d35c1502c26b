package uhid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// eventType is the first word of a struct uhid_event, in the byte order of this
// machine like every number in it.
type eventType uint32

// From linux/uhid.h: enum uhid_event_type, without the legacy ones.
const (
	destroy        eventType = 1
	start          eventType = 2
	stop           eventType = 3
	opened         eventType = 4
	closed         eventType = 5
	output         eventType = 6
	getReport      eventType = 9
	getReportReply eventType = 10
	create2        eventType = 11
	input2         eventType = 12
	setReport      eventType = 13
	setReportReply eventType = 14
)

// From linux/uhid.h: sizes in bytes. The structures are packed; offsets count from
// the event's start. A read gives eventBytes; a write may be shorter, and the kernel
// takes what is missing for zeros.
const (
	eventBytes      = 4380
	typeBytes       = 4
	dataMaxBytes    = 4096 // UHID_DATA_MAX
	nameBytes       = 128
	physBytes       = 64
	uniqBytes       = 64
	outputSizeAt    = typeBytes + dataMaxBytes
	outputTypeAt    = outputSizeAt + 2
	outputEnd       = outputTypeAt + 1
	requestEnd      = typeBytes + 4 + 1 + 1 // id, rnum, rtype
	replyBytes      = typeBytes + 4 + 2     // id, err
	getReplyBytes   = replyBytes + 2        // size, and no data
	outputReport    = 1                     // UHID_OUTPUT_REPORT
	busUSB          = 3                     // BUS_USB of linux/input.h
	refused         = 5                     // EIO; the kernel makes EIO of any other number too
	reportBytes     = 64                    // CTAP 2.3 §11.2.4
	numberlessFirst = 0                     // hidraw puts the report's number first; this device numbers none
)

// Ours: a device made of software has no ids of the USB-IF's. Clients want them to
// be other than zero.
const (
	vendorID  = 0xF1D0
	productID = 0x0001
)

// errEvent is wrapped by every failure to decode.
var errEvent = errors.New("an event of /dev/uhid is not as linux/uhid.h has it")

// event is what the kernel tells.
type event struct {
	kind   eventType
	id     uint32 // of a getReport or setReport, to be put into the reply
	report []byte // of an output, 64 bytes; nil where it is none of this device's
}

// decode reads one event. Kinds that it does not know are no error: the kernel may
// learn new ones, and they are to be passed over.
func decode(b []byte) (event, error) {
	if len(b) < typeBytes || len(b) > eventBytes {
		return event{}, fmt.Errorf("%w: %d bytes", errEvent, len(b))
	}
	e := event{kind: eventType(binary.NativeEndian.Uint32(b))}
	switch e.kind {
	case output:
		if len(b) < outputEnd {
			return event{}, fmt.Errorf("%w: an output of %d bytes", errEvent, len(b))
		}
		size := binary.NativeEndian.Uint16(b[outputSizeAt:])
		if size > dataMaxBytes {
			return event{}, fmt.Errorf("%w: an output of %d bytes", errEvent, size)
		}
		if b[outputTypeAt] == outputReport {
			e.report = unnumbered(b[typeBytes : typeBytes+int(size)])
		}
	case getReport, setReport:
		if len(b) < requestEnd {
			return event{}, fmt.Errorf("%w: a request of %d bytes", errEvent, len(b))
		}
		e.id = binary.NativeEndian.Uint32(b[typeBytes:])
	default:
	}
	return e, nil
}

// unnumbered gives a copy of the report in what a client has written, nil where that
// is no report of this device.
func unnumbered(written []byte) []byte {
	if len(written) != 1+reportBytes || written[0] != numberlessFirst {
		return nil
	}
	return bytes.Clone(written[1:])
}

// reportDescriptor is the one of CTAP 2.3 §11.2.8.
func reportDescriptor() []byte {
	return []byte{
		0x06, 0xD0, 0xF1, // Usage Page (FIDO)
		0x09, 0x01, //       Usage (U2F HID Authenticator Device)
		0xA1, 0x01, //       Collection (Application)
		0x09, 0x20, //         Usage (Input Report Data)
		0x15, 0x00, //         Logical Minimum (0)
		0x26, 0xFF, 0x00, //   Logical Maximum (255)
		0x75, 0x08, //         Report Size (8)
		0x95, reportBytes, //  Report Count
		0x81, 0x02, //         Input (Data, Absolute, Variable)
		0x09, 0x21, //         Usage (Output Report Data)
		0x15, 0x00, //         Logical Minimum (0)
		0x26, 0xFF, 0x00, //   Logical Maximum (255)
		0x75, 0x08, //         Report Size (8)
		0x95, reportBytes, //  Report Count
		0x91, 0x02, //         Output (Data, Absolute, Variable)
		0xC0, //             End Collection
	}
}

// encodeCreate asks for the device. The texts of info fit: see Info.check.
func encodeCreate(info Info) []byte {
	descriptor := reportDescriptor()
	b := head(create2)
	b = append(b, padded(info.Name, nameBytes)...)
	b = append(b, padded(info.Place, physBytes)...)
	b = append(b, padded(info.Unique, uniqBytes)...)
	b = binary.NativeEndian.AppendUint16(b, uint16(len(descriptor))) //nolint:gosec // 34
	b = binary.NativeEndian.AppendUint16(b, busUSB)
	b = binary.NativeEndian.AppendUint32(b, vendorID)
	b = binary.NativeEndian.AppendUint32(b, productID)
	b = binary.NativeEndian.AppendUint32(b, 0) // version
	b = binary.NativeEndian.AppendUint32(b, 0) // country
	return append(b, descriptor...)
}

// encodeInput carries one report of 64 bytes to whoever reads the device.
func encodeInput(report []byte) []byte {
	b := binary.NativeEndian.AppendUint16(head(input2), reportBytes)
	return append(b, report...)
}

// encodeRefusal answers the getReport or setReport e, nil where e is neither.
func encodeRefusal(e event) []byte {
	kind, size := setReportReply, replyBytes
	switch e.kind {
	case setReport:
	case getReport:
		kind, size = getReportReply, getReplyBytes
	default:
		return nil
	}
	b := binary.NativeEndian.AppendUint32(head(kind), e.id)
	b = binary.NativeEndian.AppendUint16(b, refused)
	return append(b, make([]byte, size-len(b))...)
}

func head(kind eventType) []byte {
	return binary.NativeEndian.AppendUint32(nil, uint32(kind))
}

// padded fills text up with zeros; it is shorter than size, so that it ends in one.
func padded(text string, size int) []byte {
	b := make([]byte, size)
	copy(b, text)
	return b
}
