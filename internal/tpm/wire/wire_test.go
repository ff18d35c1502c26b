package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/swtpm"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chip gives a connection to a new TPM with a storage key to salt with.
func chip(t *testing.T) (transport.TPMCloser, *Salt) {
	t.Helper()
	c, err := swtpm.Start(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	conn, err := c.Opener()(t.Context())
	must(t, err)
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(conn)
	must(t, err)
	public, err := rsp.OutPublic.Contents()
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return conn, &Salt{Handle: rsp.ObjectHandle, Public: *public}
}

// index defines an ordinary index with an authorization and gives its handle.
func index(t *testing.T, conn transport.TPM, auth []byte) tpm2.AuthHandle {
	t.Helper()
	public := tpm2.TPMSNVPublic{
		NVIndex: 0x01810000, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
		Attributes: tpm2.TPMANV{AuthRead: true, AuthWrite: true, NoDA: true},
	}
	_, err := tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		Auth:       tpm2.TPM2BAuth{Buffer: auth},
		PublicInfo: tpm2.New2B(public),
	}.Execute(conn)
	must(t, err)
	return named(t, public)
}

func named(t *testing.T, public tpm2.TPMSNVPublic) tpm2.AuthHandle {
	t.Helper()
	name, err := tpm2.NVName(&public)
	must(t, err)
	return tpm2.AuthHandle{Handle: public.NVIndex, Name: *name}
}

// record is a transport that keeps the last command and response, and can change
// the response.
type record struct {
	transport.TPM
	cmd, rsp []byte
	change   func(rsp []byte)
}

func (r *record) Send(cmd []byte) ([]byte, error) {
	r.cmd = bytes.Clone(cmd)
	rsp, err := r.TPM.Send(cmd)
	if r.change != nil && err == nil {
		r.change(rsp)
	}
	r.rsp = bytes.Clone(rsp)
	return rsp, err
}

func write(i tpm2.AuthHandle, s *Session, data []byte) tpm2.NVWrite {
	return tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: i.Handle, Name: i.Name, Auth: s},
		NVIndex:    tpm2.NamedHandle{Handle: i.Handle, Name: i.Name},
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: data},
	}
}

func TestSaltedSessionHidesAndProves(t *testing.T) {
	conn, salt := chip(t)
	wire := &record{TPM: conn}
	auth, data := []byte("correct horse battery staple"), []byte("8 bytes!")
	i := index(t, wire, auth)

	s, err := StartHMAC(wire, salt)
	must(t, err)
	s.SetAuth(bytes.Clone(auth))
	s.Keep()
	s.EncryptCommand()
	_, err = write(i, s, data).Execute(wire)
	must(t, err)
	if bytes.Contains(wire.cmd, auth) || bytes.Contains(wire.cmd, data) {
		t.Error("the command shows the authorization or the parameter")
	}

	written := named(t, tpm2.TPMSNVPublic{
		NVIndex: i.Handle, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
		Attributes: tpm2.TPMANV{AuthRead: true, AuthWrite: true, NoDA: true, Written: true},
	})
	r, err := StartHMAC(wire, salt)
	must(t, err)
	r.SetAuth(bytes.Clone(auth))
	r.EncryptResponse()
	written.Auth = r
	read := tpm2.NVRead{AuthHandle: written, NVIndex: tpm2.NamedHandle{Handle: written.Handle, Name: written.Name}, Size: 8}
	rsp, err := read.Execute(wire)
	must(t, err)
	if !bytes.Equal(rsp.Data.Buffer, data) {
		t.Errorf("read %q", rsp.Data.Buffer)
	}
	if bytes.Contains(wire.rsp, data) {
		t.Error("the response shows the parameter")
	}
	if _, err = read.Execute(wire); err == nil {
		t.Error("a session outlived the command it was for")
	}
}

func TestChangedResponseIsRefused(t *testing.T) {
	conn, salt := chip(t)
	wire := &record{TPM: conn}
	auth := []byte("auth")
	i := index(t, wire, auth)
	s, err := StartHMAC(wire, salt)
	must(t, err)
	s.SetAuth(bytes.Clone(auth))
	wire.change = func(rsp []byte) { rsp[len(rsp)-1] ^= 1 }
	if _, err = write(i, s, make([]byte, 8)).Execute(wire); !errors.Is(err, errResponse) {
		t.Errorf("got %v, want %v", err, errResponse)
	}
}

func TestWrongAuthorizationLeavesTheSession(t *testing.T) {
	conn, salt := chip(t)
	i := index(t, conn, []byte("right"))
	s, err := StartHMAC(conn, salt)
	must(t, err)
	s.SetAuth([]byte("wrong"))
	for range 3 {
		if _, err := write(i, s, make([]byte, 8)).Execute(conn); !errors.Is(err, tpm2.TPMRCBadAuth) {
			t.Fatalf("got %v, want TPM_RC_BAD_AUTH", err)
		}
	}
	s.SetAuth([]byte("right"))
	_, err = write(i, s, make([]byte, 8)).Execute(conn)
	must(t, err)
}

func TestUnsaltedSessionCannotEncrypt(t *testing.T) {
	conn, _ := chip(t)
	s, err := StartPolicy(conn, nil)
	must(t, err)
	if s.Encrypt(make([]byte, 8)) == nil || s.Decrypt(make([]byte, 8)) == nil {
		t.Error("encrypted with no secret")
	}
}

func TestWipe(t *testing.T) {
	conn, salt := chip(t)
	s, err := StartHMAC(conn, salt)
	must(t, err)
	key, auth := s.key, []byte("auth")
	s.SetAuth(auth)
	s.Wipe()
	if !bytes.Equal(key, make([]byte, 32)) || !bytes.Equal(auth, make([]byte, 4)) {
		t.Errorf("left: %x %x", key, auth)
	}
	ticket := &Ticket{Timeout: []byte{1}, Proof: tpm2.TPMTTKAuth{Digest: tpm2.TPM2BDigest{Buffer: []byte{2}}}}
	ticket.Wipe()
	if ticket.Timeout[0] != 0 || ticket.Proof.Digest.Buffer[0] != 0 {
		t.Error("a ticket is left")
	}
}

// answers is a transport that gives these codes and then success, and notes when.
type answers struct {
	codes []tpm2.TPMRC
	sent  [][]byte
	at    []time.Time
}

func (a *answers) Send(cmd []byte) ([]byte, error) {
	a.sent = append(a.sent, bytes.Clone(cmd))
	a.at = append(a.at, time.Now())
	rc := tpm2.TPMRCSuccess
	if len(a.sent) <= len(a.codes) {
		rc = a.codes[len(a.sent)-1]
	}
	return binary.BigEndian.AppendUint32([]byte{0x80, 1, 0, 0, 0, 10}, uint32(rc)), nil
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []tpm2.TPMRC{tpm2.TPMRCRetry, tpm2.TPMRCTesting, tpm2.TPMRCSessionMemory}}
		_, err := Patient(t.Context(), a).Send([]byte("the same bytes"))
		must(t, err)
		if len(a.sent) != 4 {
			t.Fatalf("sent %d times", len(a.sent))
		}
		for i, cmd := range a.sent {
			if string(cmd) != "the same bytes" {
				t.Errorf("%d: sent %q", i, cmd)
			}
		}
		for i, want := range []time.Duration{5, 10, 20} {
			if got := a.at[i+1].Sub(a.at[i]); got != want*time.Millisecond {
				t.Errorf("pause %d was %v", i, got)
			}
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		always := make([]tpm2.TPMRC, 1000)
		for i := range always {
			always[i] = tpm2.TPMRCObjectMemory
		}
		start := time.Now()
		_, err := Patient(t.Context(), &answers{codes: always}).Send(nil)
		if !errors.Is(err, ErrBusy) || !errors.Is(err, tpm2.TPMRCObjectMemory) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited < patience || waited > patience+longestPause {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err = Patient(ctx, &answers{codes: always}).Send(nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v for a context of a second", waited)
		}
	})
}

func TestPatienceKnowsErrors(t *testing.T) {
	a := &answers{codes: []tpm2.TPMRC{tpm2.TPMRCFailure}}
	if _, err := Patient(t.Context(), a).Send(nil); err != nil || len(a.sent) != 1 {
		t.Errorf("a failure was sent %d times: %v", len(a.sent), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Patient(ctx, a).Send(nil); !errors.Is(err, context.Canceled) || len(a.sent) != 1 {
		t.Errorf("sent for a dead context: %v", err)
	}
}

// FuzzResponse feeds checkResponse: it must not panic, and must not take anything
// for success but a whole, empty response.
func FuzzResponse(f *testing.F) {
	f.Add([]byte{0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0}, false)
	f.Add([]byte{0x80, 2, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Add([]byte{0x80, 1, 0, 0, 0, 10, 0, 0, 9, 0x22}, false)
	f.Add([]byte{0x80, 2, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, rsp []byte, sessions bool) {
		var with []*Session
		if sessions {
			with = []*Session{{key: []byte("key"), nonceCaller: make([]byte, 16)}}
		}
		err := checkResponse(rsp, ccNVChangeAuth, nil, with)
		if err == nil && (sessions || len(rsp) != headerBytes) {
			t.Errorf("taken for success: %x", rsp)
		}
	})
}
