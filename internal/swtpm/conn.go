package swtpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// From the kernel: drivers/char/tpm/tpm2-space.c numbers virtual handles of objects
// downwards from 0x80FFFFFF and keeps three objects and three sessions a descriptor.
const (
	firstVirtual = 0x80FFFFFF
	maxSlots     = 3
)

var errClosed = errors.New("the connection is closed")

// conn is one descriptor of the resource manager. Objects have virtual handles,
// sessions keep their own; both are out of the chip between commands.
type conn struct {
	tpm      *TPM
	boot     int
	closed   bool
	next     uint32
	objects  []*slot
	sessions []*slot
}

// slot is an object or a session that is swapped out.
type slot struct {
	virtual  uint32
	physical uint32
	context  []byte // TPMS_CONTEXT
}

// Send runs one command, with everything of this connection swapped in before it
// and out after it.
func (c *conn) Send(cmd []byte) ([]byte, error) {
	c.tpm.mu.Lock()
	defer c.tpm.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.tpm.child == nil || c.boot != c.tpm.boots:
		return nil, ErrOff
	case len(cmd) < headerBytes || len(cmd) > maxBytes:
		return nil, fmt.Errorf("a command of %d bytes", len(cmd))
	}
	if err := c.swapIn(); err != nil {
		return nil, err
	}
	cc := tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:]))
	rsp, err := c.chip(c.translate(cc, cmd))
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(rsp[6:]) == uint32(tpm2.TPMRCSuccess) {
		c.notice(cc, cmd, rsp)
	}
	if err := c.swapOut(); err != nil {
		return nil, err
	}
	return rsp, nil
}

// Close forgets the objects and flushes the sessions: a saved object is no longer
// in the chip, a saved session still counts there.
func (c *conn) Close() error {
	c.tpm.mu.Lock()
	defer c.tpm.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.tpm.child == nil || c.boot != c.tpm.boots {
		return nil
	}
	var errs []error
	for _, s := range c.sessions {
		_, err := c.plain(tpm2.TPMCCFlushContext, binary.BigEndian.AppendUint32(nil, s.virtual))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// translate replaces virtual handles by those that the objects have now. A handle
// in FlushContext is a parameter, but in the same place.
func (c *conn) translate(cc tpm2.TPMCC, cmd []byte) []byte {
	handles := int(c.tpm.shape[cc].CHandles)
	if cc == tpm2.TPMCCFlushContext {
		handles = 1
	}
	out := slices.Clone(cmd)
	for i := range handles {
		at := headerBytes + 4*i
		if at+4 > len(out) {
			break
		}
		for _, o := range c.objects {
			if o.virtual == binary.BigEndian.Uint32(out[at:]) {
				binary.BigEndian.PutUint32(out[at:], o.physical)
				break
			}
		}
	}
	return out
}

// notice books the handle that a successful command made or flushed, and gives a
// new object its virtual handle.
func (c *conn) notice(cc tpm2.TPMCC, cmd, rsp []byte) {
	if cc == tpm2.TPMCCFlushContext && len(cmd) >= headerBytes+4 {
		gone := func(s *slot) bool { return s.virtual == binary.BigEndian.Uint32(cmd[headerBytes:]) }
		c.objects = slices.DeleteFunc(c.objects, gone)
		c.sessions = slices.DeleteFunc(c.sessions, gone)
	}
	if !c.tpm.shape[cc].RHandle || len(rsp) < headerBytes+4 {
		return
	}
	handle := binary.BigEndian.Uint32(rsp[headerBytes:])
	switch tpm2.TPMHT(handle >> 24) {
	case tpm2.TPMHTTransient:
		c.objects = append(c.objects, &slot{virtual: c.next, physical: handle})
		binary.BigEndian.PutUint32(rsp[headerBytes:], c.next)
		c.next--
	case tpm2.TPMHTHMACSession, tpm2.TPMHTPolicySession:
		c.sessions = append(c.sessions, &slot{virtual: handle})
	default:
	}
}

func (c *conn) swapIn() error {
	for _, o := range c.objects {
		rsp, err := c.plain(tpm2.TPMCCContextLoad, o.context)
		if err != nil {
			return fmt.Errorf("swapping an object in: %w", err)
		}
		o.physical = binary.BigEndian.Uint32(rsp)
	}
	for _, s := range c.sessions {
		if _, err := c.plain(tpm2.TPMCCContextLoad, s.context); err != nil {
			return fmt.Errorf("swapping a session in: %w", err)
		}
	}
	return nil
}

// swapOut saves everything. A session that cannot be saved has ended with the
// command. What is one too many is flushed, and the command fails as in the kernel.
func (c *conn) swapOut() error {
	var errs []error
	for _, o := range c.objects {
		handle := binary.BigEndian.AppendUint32(nil, o.physical)
		var err error
		if o.context, err = c.plain(tpm2.TPMCCContextSave, handle); err != nil {
			errs = append(errs, fmt.Errorf("swapping an object out: %w", err))
		}
		_, err = c.plain(tpm2.TPMCCFlushContext, handle)
		errs = append(errs, err)
	}
	if len(c.objects) > maxSlots {
		c.objects = c.objects[:maxSlots]
		errs = append(errs, fmt.Errorf("more than %d objects on one connection", maxSlots))
	}
	kept := c.sessions[:0]
	for _, s := range c.sessions {
		context, err := c.plain(tpm2.TPMCCContextSave, binary.BigEndian.AppendUint32(nil, s.virtual))
		if err != nil {
			continue
		}
		s.context = context
		kept = append(kept, s)
	}
	c.sessions = kept
	if len(c.sessions) > maxSlots {
		last := c.sessions[maxSlots]
		c.sessions = c.sessions[:maxSlots]
		_, err := c.plain(tpm2.TPMCCFlushContext, binary.BigEndian.AppendUint32(nil, last.virtual))
		errs = append(errs, err, fmt.Errorf("more than %d sessions on one connection", maxSlots))
	}
	return errors.Join(errs...)
}

// plain runs a command of our own and gives what follows the response's header.
func (c *conn) plain(cc tpm2.TPMCC, body []byte) ([]byte, error) {
	cmd := tpm2.Marshal(tpm2.TPMCmdHeader{
		Tag:         tpm2.TPMSTNoSessions,
		Length:      uint32(headerBytes + len(body)), //nolint:gosec // At most maxBytes.
		CommandCode: cc,
	})
	rsp, err := c.chip(append(cmd, body...))
	if err != nil {
		return nil, err
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])); rc != tpm2.TPMRCSuccess {
		return nil, rc
	}
	return rsp[headerBytes:], nil
}

// chip sends one command to the chip and counts it. The kernel resends on RETRY
// too (tpm_transmit).
func (c *conn) chip(cmd []byte) ([]byte, error) {
	for {
		c.tpm.commands.Add(1)
		rsp, err := c.tpm.child.Send(cmd)
		if err == nil && binary.BigEndian.Uint32(rsp[6:]) == uint32(tpm2.TPMRCRetry) {
			continue
		}
		return rsp, err
	}
}
