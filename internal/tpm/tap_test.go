package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

var errCut = errors.New("the wire is cut")

// tap is an Opener that notes what is sent, and may meddle with it.
type tap struct {
	open Opener
	// meddle gets the number of the command, from 1, and what sends it.
	meddle func(n int, send func() ([]byte, error)) ([]byte, error)

	mu     sync.Mutex
	sent   []tpm2.TPMCC
	bus    []byte // everything that has crossed it, both ways
	opened int
	closed int
	dead   bool
}

type tapped struct {
	Conn
	tap *tap
}

func (p *tap) Open(ctx context.Context) (Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil, errCut
	}
	conn, err := p.open(ctx)
	if err == nil {
		p.opened++
	}
	return &tapped{conn, p}, err
}

func (c *tapped) Close() error {
	c.tap.mu.Lock()
	c.tap.closed++
	c.tap.mu.Unlock()
	return c.Conn.Close()
}

func (c *tapped) Send(cmd []byte) ([]byte, error) {
	p := c.tap
	p.mu.Lock()
	dead := p.dead
	p.sent = append(p.sent, tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])))
	n := len(p.sent)
	p.mu.Unlock()
	send := func() ([]byte, error) {
		rsp, err := c.Conn.Send(cmd)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.bus = append(append(p.bus, cmd...), rsp...)
		return rsp, err
	}
	switch {
	case dead:
		return nil, errCut
	case p.meddle != nil:
		return p.meddle(n, send)
	}
	return send()
}

// cut kills the wire: nothing passes any more, on any connection.
func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// since gives what was sent after the first n commands.
func (p *tap) since(n int) []tpm2.TPMCC {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent[n:])
}

func (p *tap) count() int { return len(p.since(0)) }

// leakless checks that every connection was closed.
func (p *tap) leakless(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened != p.closed {
		t.Errorf("%d connections opened, %d closed", p.opened, p.closed)
	}
}

// words names commands as Part 3 does.
func words(commands []tpm2.TPMCC) string {
	names := map[tpm2.TPMCC]string{
		tpm2.TPMCCStartAuthSession: "StartAuthSession", tpm2.TPMCCPolicySecret: "PolicySecret",
		0x172: "PolicyTicket", tpm2.TPMCCLoad: "Load", tpm2.TPMCCSign: "Sign", tpm2.TPMCCHMAC: "HMAC",
		tpm2.TPMCCCreate: "Create", tpm2.TPMCCCreateLoaded: "CreateLoaded", tpm2.TPMCCNVRead: "NV_Read", tpm2.TPMCCPolicyCommandCode: "PolicyCommandCode",
		tpm2.TPMCCPolicyAuthorize: "PolicyAuthorize", 0x13B: "NV_ChangeAuth", tpm2.TPMCCPolicyNV: "PolicyNV",
		tpm2.TPMCCNVUndefineSpace: "NV_UndefineSpace", tpm2.TPMCCNVDefineSpace: "NV_DefineSpace",
		tpm2.TPMCCNVReadPublic: "NV_ReadPublic", tpm2.TPMCCNVWrite: "NV_Write", tpm2.TPMCCUnseal: "Unseal",
		tpm2.TPMCCReadPublic: "ReadPublic", tpm2.TPMCCLoadExternal: "LoadExternal",
		tpm2.TPMCCVerifySignature: "VerifySignature", tpm2.TPMCCFlushContext: "FlushContext",
		tpm2.TPMCCGetCapability: "GetCapability", tpm2.TPMCCCreatePrimary: "CreatePrimary",
		tpm2.TPMCCEvictControl: "EvictControl", tpm2.TPMCCContextLoad: "ContextLoad", tpm2.TPMCCContextSave: "ContextSave",
	}
	var b []string
	for _, cc := range commands {
		b = append(b, names[cc])
	}
	return strings.Join(b, " ")
}

func answer(rc tpm2.TPMRC) []byte {
	return tpm2.Marshal(tpm2.TPMRspHeader{Tag: tpm2.TPMSTNoSessions, Length: 10, ResponseCode: rc})
}
