package ctaphid

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// maxChannels is how many channels are known at a time. Ours: platforms take one
// for each program and visit, and never give one back.
const maxChannels = 64

// From the specification: §11.2.9.1.3, CTAPHID_INIT.
const (
	nonceBytes      = 8
	protocolVersion = 2
	capabilityWink  = 0x01
	capabilityCBOR  = 0x04
	capabilityNoMSG = 0x08
)

// channel is the state of one channel.
type channel struct {
	authenticator ctap.Authenticator
	used          uint64 // when, by channels.clock
}

// channels are those that have been given out.
type channels struct {
	open  func() ctap.Authenticator
	known map[channelID]*channel
	clock uint64 // counts uses
}

func (c *channels) has(id channelID) bool { return c.known[id] != nil }

// touch notes a use of a known channel.
func (c *channels) touch(id channelID) {
	c.clock++
	c.known[id].used = c.clock
}

// messenger gives the channel's authenticator if it speaks U2F now, else nil.
func (c *channels) messenger(id channelID) ctap.Messenger {
	m, ok := c.known[id].authenticator.(ctap.Messenger)
	if !ok || !m.U2F() {
		return nil
	}
	return m
}

// allocate makes a channel; the one unused for longest, except busy, makes room
// for it where there are too many.
func (c *channels) allocate(busy func(channelID) bool) channelID {
	if len(c.known) >= maxChannels {
		var oldest channelID
		for id, ch := range c.known {
			if !busy(id) && (oldest == reservedChannel || ch.used < c.known[oldest].used) {
				oldest = id
			}
		}
		delete(c.known, oldest)
	}
	id := reservedChannel
	for id == reservedChannel || id == broadcastChannel || c.has(id) {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails, by its documentation
		id = channelID(binary.BigEndian.Uint32(b[:]))
	}
	c.known[id] = &channel{authenticator: c.open()}
	c.touch(id)
	return id
}

// renew gives a channel a fresh authenticator.
func (c *channels) renew(id channelID) {
	c.known[id].authenticator = c.open()
	c.touch(id)
}

// initialize answers CTAPHID_INIT (§11.2.9.1.3): on the broadcast channel it allocates
// a channel; on a channel of one's own it gives up what was under way there.
func (d *device) initialize(ctx context.Context, r *report) error {
	id := r.channel()
	given := id
	switch {
	case id != broadcastChannel && !d.channels.has(id):
		return d.fail(ctx, id, ctap.InvalidChannel)
	case r.length() != nonceBytes:
		return d.fail(ctx, id, ctap.InvalidLength)
	case id == broadcastChannel:
		given = d.channels.allocate(d.busy)
	default:
		d.abort(id)
		d.channels.renew(id)
	}
	data := append([]byte(nil), r.firstData()[:nonceBytes]...)
	data = binary.BigEndian.AppendUint32(data, uint32(given))
	capabilities := byte(capabilityWink | capabilityCBOR)
	if d.channels.messenger(given) == nil {
		capabilities |= capabilityNoMSG
	}
	data = append(data, protocolVersion, 0, 0, 0, capabilities)
	return d.send(message{channel: id, command: commandInit, data: data})
}

// busy tells whether a transaction is under way on id.
func (d *device) busy(id channelID) bool {
	return d.partial != nil && d.partial.message.channel == id || d.running != nil && d.running.channel == id
}

// abort ends what is under way on id.
func (d *device) abort(id channelID) {
	if d.partial != nil && d.partial.message.channel == id {
		d.drop()
	}
	if d.running != nil && d.running.channel == id {
		d.forget()
	}
}
