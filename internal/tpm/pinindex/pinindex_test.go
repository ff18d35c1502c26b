package pinindex

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// The attacks on an index, its commands and its crashes are tested one floor up,
// where there are keys to attack; here is the index by itself.

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type chip struct {
	*testing.T
	*swtpm.TPM
	salt *wire.Salt
}

func start(t *testing.T) *chip {
	t.Helper()
	c, err := swtpm.Start(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	s := &chip{T: t, TPM: c}
	conn := s.dial()
	must(t, storage.Make(conn))
	srk, err := storage.Find(conn)
	must(t, err)
	s.salt = srk.Salt()
	return s
}

func (c *chip) dial() transport.TPMCloser {
	c.Helper()
	conn, err := c.Opener()(c.Context())
	must(c.T, err)
	c.Cleanup(func() { must(c.T, conn.Close()) })
	return conn
}

func (c *chip) index(auth string) *Index {
	c.Helper()
	x, err := Make(c.dial(), c.salt, []byte(auth), func(Doomed) error { return nil })
	must(c.T, err)
	return x
}

// show shows an authorization once.
func (c *chip) show(x *Index, auth string) error {
	c.Helper()
	conn := c.dial()
	s, err := wire.StartPolicy(conn, nil)
	must(c.T, err)
	cover, err := wire.StartHMAC(conn, c.salt)
	must(c.T, err)
	cover.SetAuth([]byte(auth))
	_, err = x.Show(conn, s, cover, nil, 0)
	return err
}

func TestCountsAndChanges(t *testing.T) {
	c := start(t)
	x := c.index("first")
	must(t, x.Exists(c.dial()))
	var wrong *authenticator.WrongPIN
	if err := c.show(x, "other"); !errors.As(err, &wrong) || wrong.Retries != Attempts-1 {
		t.Fatalf("a wrong authorization: %v", err)
	}
	must(t, c.show(x, "first"))
	if left, err := x.Retries(c.dial()); err != nil || left != Attempts {
		t.Errorf("%d attempts left, %v", left, err)
	}
	must(t, x.Change(c.dial(), c.salt, []byte("first"), []byte("second")))
	if err := c.show(x, "first"); !errors.As(err, &wrong) {
		t.Errorf("the old authorization: %v", err)
	}
	must(t, c.show(x, "second"))
	again := At(x.Handle, x.Approvals)
	if !bytes.Equal(again.Name.Buffer, x.Name.Buffer) || again.Doom() != x.Doom() {
		t.Error("an index taken up again has another name")
	}
	if _, err := again.Prove(c.dial(), nil); err != nil {
		t.Error(err)
	}
}

func TestAnnouncedBeforeDefined(t *testing.T) {
	c := start(t)
	refusal := errors.New("disk full")
	var announced Doomed
	_, err := Make(c.dial(), c.salt, []byte("auth"), func(d Doomed) error {
		announced = d
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatalf("got %v", err)
	}
	_, err = tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(announced.Handle)}.Execute(c.dial())
	if !errors.Is(err, tpm2.TPMRCHandle) {
		t.Errorf("defined although it could not be announced: %v", err)
	}
}

func TestHandles(t *testing.T) {
	c := start(t)
	one, two, three := c.index("1"), c.index("2"), c.index("3")
	if one.Handle != First || two.Handle != First+1 || three.Handle != First+2 {
		t.Errorf("handles %x %x %x", one.Handle, two.Handle, three.Handle)
	}
	must(t, Undefine(c.dial(), two.Doom()))
	must(t, Undefine(c.dial(), two.Doom()))
	if err := two.Exists(c.dial()); ctap.StatusOf(err) != ctap.IntegrityFailure {
		t.Errorf("an undefined index: %v", err)
	}
	again := c.index("4")
	if again.Handle != two.Handle {
		t.Errorf("handle %x, not the first free one", again.Handle)
	}
	must(t, Undefine(c.dial(), two.Doom())) // It is another's now, and stays.
	must(t, again.Exists(c.dial()))
	if err := two.Exists(c.dial()); ctap.StatusOf(err) != ctap.IntegrityFailure {
		t.Errorf("another index at its place: %v", err)
	}
	for handle, want := range map[uint32]bool{
		uint32(First): true, uint32(Last): true, uint32(First) - 1: false, uint32(Last) + 1: false, 0x81000001: false,
	} {
		if Ours(handle) != want {
			t.Errorf("%#x ours: %v", handle, !want)
		}
	}
}
