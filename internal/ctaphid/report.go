package ctaphid

import (
	"encoding/binary"
)

// From the specification: §11.2.4, report and message sizes in bytes.
const (
	reportBytes      = 64
	firstHeaderBytes = 7
	nextHeaderBytes  = 5
	firstDataBytes   = reportBytes - firstHeaderBytes
	nextDataBytes    = reportBytes - nextHeaderBytes
	maxSequence      = 0x7F
	maxMessageBytes  = firstDataBytes + (maxSequence+1)*nextDataBytes // 7609
)

// firstFlag marks the first report of a message (§11.2.4).
const firstFlag = 0x80

// command is what a message is for, without firstFlag.
type command byte

// From the specification: §11.2.9. LOCK (0x04) is not offered,
// MSG only by an authenticator that speaks U2F now.
const (
	commandPing      command = 0x01
	commandMessage   command = 0x03
	commandInit      command = 0x06
	commandWink      command = 0x08
	commandCBOR      command = 0x10
	commandCancel    command = 0x11
	commandKeepalive command = 0x3B
	commandError     command = 0x3F
)

// channelID names a channel (§11.2.3).
type channelID uint32

// From the specification: §11.2.3.
const (
	reservedChannel  channelID = 0
	broadcastChannel channelID = 0xFFFFFFFF
)

// report is one HID report, without a report id.
type report [reportBytes]byte

func (r *report) channel() channelID { return channelID(binary.BigEndian.Uint32(r[:])) }

// first tells whether the report begins a message.
func (r *report) first() bool { return r[4]&firstFlag != 0 }

// Of a first report.
func (r *report) command() command { return command(r[4] &^ firstFlag) }
func (r *report) length() int      { return int(binary.BigEndian.Uint16(r[5:])) }
func (r *report) firstData() []byte {
	return r[firstHeaderBytes:]
}

// Of a continuation.
func (r *report) sequence() byte   { return r[4] }
func (r *report) nextData() []byte { return r[nextHeaderBytes:] }

// message is a command with all its data, on a channel.
type message struct {
	channel channelID
	command command
	data    []byte
}

// reports cuts the message up; data is at most maxMessageBytes long.
func (m message) reports() []report {
	var first report
	binary.BigEndian.PutUint32(first[:], uint32(m.channel))
	first[4] = firstFlag | byte(m.command)
	binary.BigEndian.PutUint16(first[5:], uint16(len(m.data))) //nolint:gosec // at most maxMessageBytes
	rest := m.data[copy(first.firstData(), m.data):]
	out := []report{first}
	for sequence := byte(0); len(rest) > 0; sequence++ {
		var next report
		copy(next[:4], first[:4])
		next[4] = sequence
		rest = rest[copy(next.nextData(), rest):]
		out = append(out, next)
	}
	return out
}

// assembly is a message of which some reports are still to come.
type assembly struct {
	message message
	length  int
	next    byte // sequence number expected
}

// begin starts a message from its first report.
func begin(r *report) *assembly {
	a := &assembly{message: message{channel: r.channel(), command: r.command()}, length: r.length()}
	a.take(r.firstData())
	return a
}

func (a *assembly) take(data []byte) {
	missing := a.length - len(a.message.data)
	a.message.data = append(a.message.data, data[:min(missing, len(data))]...)
}

func (a *assembly) complete() bool { return len(a.message.data) == a.length }
