package tpm

import (
	"bytes"
	"crypto/sha256"
	"reflect"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
)

func sampleRecord() *record {
	return &record{
		Version: ledgerVersion,
		SRKName: append([]byte{0, 0x0B}, make([]byte, 32)...),
		Current: &currentRecord{
			ID: [16]byte{1}, Handle: uint32(pinindex.First), Sealed: []byte{1, 0, 1, 2, 0, 1, 3}, Box: make([]byte, 40),
		},
		Doomed: []pinindex.Doomed{{Handle: uint32(pinindex.First) + 1, Policy: [32]byte{2}}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := sampleRecord()
	got := must1[*record](t)(decodeRecord(must1[[]byte](t)(want.encode())))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRecordRefused(t *testing.T) {
	for name, change := range map[string]func(r *record){
		"later version":          func(r *record) { r.Version++ },
		"no sealed key":          func(r *record) { r.Current.Sealed = nil },
		"no box":                 func(r *record) { r.Current.Box = nil },
		"no storage key":         func(r *record) { r.SRKName = nil },
		"index out of range":     func(r *record) { r.Current.Handle = 0x01C00002 }, // the EK certificate's
		"doomed out of range":    func(r *record) { r.Doomed[0].Handle = uint32(pinindex.Last) + 1 },
		"doomed and in use":      func(r *record) { r.Doomed[0].Handle = r.Current.Handle },
		"handle of another kind": func(r *record) { r.Current.Handle = 0x81000001 },
	} {
		r := sampleRecord()
		change(r)
		_, err := decodeRecord(must1[[]byte](t)(r.encode()))
		_ = explained(t, err)
		if name == "later version" && ctap.StatusOf(err) == ctap.IntegrityFailure {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty map": {0xA0}, "text": []byte("not a record"), "cut short": must1[[]byte](t)(sampleRecord().encode())[:50],
	} {
		if _, err := decodeRecord(b); explained(t, err).What == "" {
			t.Error(name)
		}
	}
}

// TestDamagedLedger changes each byte of a real ledger: opening fails with words,
// and the ledger stays as it is.
func TestDamagedLedger(t *testing.T) {
	m, chip, ledger := setUp(t)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	whole := must1[[]byte](t)(ledger.Load())
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x20
		l := &memory{saved: [][]byte{damaged}}
		_, err := Open(t.Context(), chip.Opener(), l)
		_ = explained(t, err)
		if len(l.saved) != 1 || !bytes.Equal(l.saved[0], damaged) {
			t.Fatalf("byte %d: the damaged ledger was written", i)
		}
	}
	clean(t, chip, m.generation().index.Handle)
	must1[*Machine](t)(Open(t.Context(), chip.Opener(), ledger))
}

// TestLedgerTellsNothing: what would help to try PINs, or to change them, is in no
// ledger in plain, at any time.
func TestLedgerTellsNothing(t *testing.T) {
	m, _, ledger := setUp(t)
	initial := bytes.Clone(m.generation().initial)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	box := m.generation()
	auth := must1[[]byte](t)(m.generation().authOf(keystest.Hash("1234")))
	for _, b := range ledger.saved {
		for name, hidden := range map[string][]byte{
			"salt": box.salt[:], "first authorization": initial, "PIN's authorization": auth,
			"PIN's hash": keystest.Hash("1234").Reveal(), "metadata key": m.MetadataKey().Reveal(),
			"approval to change": box.index.Approvals.Change, "approval to read": box.index.Approvals.Read, "approval to prove": box.index.Approvals.Prove,
		} {
			if len(hidden) < 16 {
				t.Fatalf("%s: %x", name, hidden)
			}
			if bytes.Contains(b, hidden) {
				t.Errorf("the ledger shows the %s", name)
			}
		}
	}
	if !bytes.Equal(m.generation().initial, nil) {
		t.Error("the first authorization is kept although it is over")
	}
}

func TestBoxIsBoundToItsPlace(t *testing.T) {
	key, box := secret.Random(metadataKeyBytes), boxRecord{PIN: pinSet, Approvals: pinindex.Approvals{Authority: make([]byte, policy.NameBytes)}}
	c := sampleRecord().Current
	must(t, c.seal([]byte("srk"), key, &box))
	must1[*boxRecord](t)(c.open([]byte("srk"), key))
	for name, change := range map[string]func(c *currentRecord) ([]byte, secret.Bytes){
		"another SRK":        func(*currentRecord) ([]byte, secret.Bytes) { return []byte("other"), key },
		"another key":        func(*currentRecord) ([]byte, secret.Bytes) { return []byte("srk"), secret.Random(32) },
		"another index":      func(c *currentRecord) ([]byte, secret.Bytes) { c.Handle++; return []byte("srk"), key },
		"another generation": func(c *currentRecord) ([]byte, secret.Bytes) { c.ID[0]++; return []byte("srk"), key },
	} {
		moved := *c
		name1, key1 := change(&moved)
		if _, err := moved.open(name1, key1); ctap.StatusOf(err) != ctap.IntegrityFailure {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoZerosInAuthorizations(t *testing.T) {
	g := new(generation)
	seen := 0
	for i := range 200 {
		hash := sha256.Sum256([]byte{byte(i)})
		auth := must1[[]byte](t)(g.authOf(secret.Of(hash[:16])))
		if len(auth) != authBytes || bytes.IndexByte(auth, 0) >= 0 || bytes.IndexByte(randomAuth(), 0) >= 0 {
			t.Fatalf("authorization %x", auth)
		}
		seen += bytes.Count(auth, []byte{1})
	}
	if seen == 0 {
		t.Error("no byte was ever 1: zeros cannot have been replaced")
	}
}

func FuzzLedger(f *testing.F) {
	f.Add(must1[[]byte](f)(sampleRecord().encode()))
	f.Add(must1[[]byte](f)((&record{Version: ledgerVersion, SRKName: []byte{0, 0x0B}}).encode()))
	f.Add([]byte{0xA1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			_ = explained(t, err)
			return
		}
		again, err := decodeRecord(must1[[]byte](t)(r.encode()))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}
