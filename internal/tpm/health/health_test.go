package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

type opener = func(context.Context) (transport.TPMCloser, error)

func start(t *testing.T) (*swtpm.TPM, opener) {
	t.Helper()
	c, err := swtpm.Start(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.Opener()
}

func mustLook(t *testing.T, open opener) *chip.Report {
	t.Helper()
	r, err := Look(t.Context(), open)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// with gives do a connection.
func with(t *testing.T, open opener, do func(transport.TPM) error) {
	t.Helper()
	conn, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := do(conn); err != nil {
		t.Fatal(err)
	}
}

func TestLookAtAFreshChip(t *testing.T) {
	_, open := start(t)
	r := mustLook(t, open)
	if r.Manufacturer != "IBM" || r.Revision < 138 || r.Problem != nil || len(r.Missing) != 0 || r.OwnerAuth || r.LockoutAuth || r.InLockout {
		t.Errorf("%+v", r)
	}
	if r.SelfTest != 0 && r.SelfTest != chip.SelfTestNeeded {
		t.Errorf("self test %#x", r.SelfTest)
	}
	if r.StorageKey != chip.StorageNone {
		t.Errorf("storage key %q, before anybody has made one", r.StorageKey)
	}
	with(t, open, storage.Make)
	if r = mustLook(t, open); r.StorageKey != chip.StorageUsable || r.StorageProblem != "" {
		t.Errorf("storage key %q: %s", r.StorageKey, r.StorageProblem)
	}
}

func TestLookAtPasswords(t *testing.T) {
	for handle, set := range map[tpm2.TPMHandle]func(*chip.Report) *bool{
		tpm2.TPMRHOwner:   func(r *chip.Report) *bool { return &r.OwnerAuth },
		tpm2.TPMRHLockout: func(r *chip.Report) *bool { return &r.LockoutAuth },
	} {
		_, open := start(t)
		with(t, open, func(tpm transport.TPM) error {
			_, err := tpm2.HierarchyChangeAuth{
				AuthHandle: tpm2.AuthHandle{Handle: handle, Auth: tpm2.PasswordAuth(nil)},
				NewAuth:    tpm2.TPM2BAuth{Buffer: []byte("somebody's")},
			}.Execute(tpm)
			return err
		})
		r := mustLook(t, open)
		if field := set(r); !*field {
			t.Errorf("%#x: %+v", handle, r)
		} else if *field = false; r.OwnerAuth || r.LockoutAuth {
			t.Errorf("%#x: the other one is said to be set as well", handle)
		}
	}
}

// TestLookAtALockout has the chip allow no wrong password, which locks it at once.
func TestLookAtALockout(t *testing.T) {
	_, open := start(t)
	with(t, open, func(tpm transport.TPM) error {
		var b bytes.Buffer
		b.WriteString("\x80\x02\x00\x00\x00\x27\x00\x00\x01\x3a") // TPM2_DictionaryAttackParameters
		b.WriteString("\x40\x00\x00\x0a")                         // TPM_RH_LOCKOUT
		b.WriteString("\x00\x00\x00\x09\x40\x00\x00\x09\x00\x00\x00\x00\x00")
		b.Write(make([]byte, 12)) // newMaxTries, newRecoveryTime, lockoutRecovery
		rsp, err := tpm.Send(b.Bytes())
		if rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])); err == nil && rc != 0 {
			err = rc
		}
		return err
	})
	if r := mustLook(t, open); !r.InLockout {
		t.Errorf("%+v", r)
	}
}

func TestLookAtAnotherKey(t *testing.T) {
	_, open := start(t)
	with(t, open, func(tpm transport.TPM) error {
		public := tpm2.ECCSRKTemplate
		public.ObjectAttributes.Restricted, public.ObjectAttributes.Decrypt = false, false
		public.ObjectAttributes.SignEncrypt = true
		public.Parameters = storage.ECDSA()
		owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
		made, err := tpm2.CreatePrimary{PrimaryHandle: owner, InPublic: tpm2.New2B(public)}.Execute(tpm)
		if err != nil {
			return err
		}
		_, err = tpm2.EvictControl{
			Auth: owner, ObjectHandle: tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name}, PersistentHandle: 0x81000001,
		}.Execute(tpm)
		return err
	})
	if r := mustLook(t, open); r.StorageKey != chip.StorageUnusable || !strings.Contains(r.StorageProblem, "not a storage key") {
		t.Errorf("%+v", r)
	}
}

func TestLookAtNothing(t *testing.T) {
	c, open := start(t)
	c.Kill()
	if r := mustLook(t, open); r.Problem == nil || r.Problem.Hint == "" || r.Manufacturer != "" {
		t.Errorf("%+v", r)
	}
}

// altered is a chip some of whose answers are another's.
type altered struct {
	transport.TPMCloser

	alter func(cc uint32, rsp []byte) []byte
}

func (a altered) Send(cmd []byte) ([]byte, error) {
	rsp, err := a.TPMCloser.Send(cmd)
	if err != nil {
		return nil, err
	}
	return a.alter(binary.BigEndian.Uint32(cmd[6:]), rsp), nil
}

func alter(open opener, f func(cc uint32, rsp []byte) []byte) opener {
	return func(ctx context.Context) (transport.TPMCloser, error) {
		conn, err := open(ctx)
		return altered{conn, f}, err
	}
}

// TestLookAtAFailedChip cannot break the software TPM: it changes the one answer.
func TestLookAtAFailedChip(t *testing.T) {
	_, open := start(t)
	for _, code := range []uint32{0x101, chip.SelfTestNeeded} {
		r := mustLook(t, alter(open, func(cc uint32, rsp []byte) []byte {
			if cc == uint32(ccGetTestResult) {
				binary.BigEndian.PutUint32(rsp[len(rsp)-4:], code)
			}
			return rsp
		}))
		if r.SelfTest != code || r.Problem != nil || r.Manufacturer != "IBM" {
			t.Errorf("%#x: %+v", code, r)
		}
	}
	for name, broken := range map[string][]byte{
		"short":     {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0},
		"truncated": {0x80, 0x01},
		"refused":   {0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 1},
	} {
		r := mustLook(t, alter(open, func(cc uint32, rsp []byte) []byte {
			if cc == uint32(ccGetTestResult) {
				return broken
			}
			return rsp
		}))
		if r.Problem == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestLookAtAnOldChip takes a command out of the chip's list.
func TestLookAtAnOldChip(t *testing.T) {
	_, open := start(t)
	r := mustLook(t, alter(open, func(cc uint32, rsp []byte) []byte {
		const ccGetCapability, listBegins, capCommands = 0x17A, 19, 2
		if cc != ccGetCapability || binary.BigEndian.Uint32(rsp[11:]) != capCommands {
			return rsp
		}
		for at := listBegins; at+4 <= len(rsp); at += 4 {
			if binary.BigEndian.Uint16(rsp[at+2:]) == uint16(wire.CommandPolicyTicket) {
				rsp[at] |= 0x20 // the vendor's own, of the same number
			}
		}
		return rsp
	}))
	if !slices.Equal(r.Missing, []string{"PolicyTicket"}) {
		t.Errorf("missing %q", r.Missing)
	}
}

func TestDescription(t *testing.T) {
	d := Description{Manufacturer: "INTC", Model: "Intel", Firmware: "403.1", Revision: 138}
	if got, want := d.String(), "INTC Intel firmware 403.1, TPM 2.0 revision 1.38"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := printable([]byte("a\x00\x1b[2Jb\n")); got != "a[2Jb" {
		t.Errorf("printable: %q", got)
	}
}
