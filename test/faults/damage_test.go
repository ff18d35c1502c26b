//go:build linux

package faults

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// sectorBytes is what a disk loses at once.
const sectorBytes = 512

// spoilt is a copy of the store's file with one damage, and what that is.
func spoilt(whole []byte, random *rand.Rand) (file []byte, what string) {
	file = bytes.Clone(whole)
	// Half of the places are where a page says what is in it.
	at := random.IntN(len(file))
	if random.IntN(2) == 0 {
		at = at/pageBytes*pageBytes + random.IntN(256)
	}
	switch random.IntN(8) {
	case 0:
		return file[:at], fmt.Sprintf("cut short at byte %d", at)
	case 1:
		at -= at % sectorBytes
		clear(file[at : at+sectorBytes])
		return file, fmt.Sprintf("zeros in the sector at byte %d", at)
	case 2:
		at -= at % sectorBytes
		for i := range sectorBytes {
			file[at+i] = byte(random.Uint32())
		}
		return file, fmt.Sprintf("noise in the sector at byte %d", at)
	default:
		bit := random.IntN(8)
		file[at] ^= 1 << bit
		return file, fmt.Sprintf("bit %d of byte %d flipped", bit, at)
	}
}

// TestDamagedStore spoils the store's file at one place after another, and has a daemon
// take it up with the right TPM. Either all is there, or an error says that it is damaged;
// a file that is refused stays as it is.
func TestDamagedStore(t *testing.T) {
	w := populated(t, inTempDir(t))
	for range 12 {
		for _, o := range operations()[:7] { // all but deletions and what changes nothing
			check(t, o.run(t.Context(), w))
		}
	}
	check(t, w.d.Close())
	whole, err := os.ReadFile(w.path)
	check(t, err)
	random := rand.New(rand.NewPCG(5, 6)) // the same places every time
	intact := 0
	w.acknowledged = len(w.known)
	for round := range rounds(150) {
		file, what := spoilt(whole, random)
		w.rounds++
		if w.takenUp(file, fmt.Sprintf("round %d: %s", round, what)) {
			intact++
		}
		if t.Failed() {
			break
		}
	}
	w.d = w.newDaemon(w.path)
	w.findPIN(w.pin)
	w.verify("the whole file, in the end")
	t.Logf("%d passkeys in %d bytes; %d damages hit nothing that is in use", len(w.known), len(whole), intact)
	w.log(t, "store damaged")
}

// takenUp tells whether a daemon on that file has everything.
func (w *world) takenUp(file []byte, when string) bool {
	w.Helper()
	path := filepath.Join(w.TempDir(), "passkeys.db")
	check(w, os.WriteFile(path, file, 0o600))
	defer os.Remove(path)
	whole, d := w.d, w.newDaemon(path)
	w.d = d
	defer func() { w.d = whole }()
	defer func() {
		if err := d.Close(); err != nil {
			w.Errorf("%s: closing it: %v", when, err)
		}
	}()
	s := w.status()
	if s.Problem != nil {
		w.statuses["refused"]++
		w.explained(s.Problem, when)
		check(w, d.Close())
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, file) {
			w.Errorf("%s: the file that was refused has changed, %v", when, err)
		}
		return false
	}
	return w.uses(s, when)
}

// explained checks that a person is told what happened and what to do.
func (w *world) explained(err error, when string) {
	w.Helper()
	problem, ok := errors.AsType[*ctap.Problem](err)
	if !ok || problem.What == "" || problem.Hint == "" {
		w.Errorf("%s: no words: %v", when, err)
	}
}

// uses looks at all that there is: each part is as it was, or an error.
func (w *world) uses(s *ctap.StatusResponse, when string) (intact bool) {
	w.Helper()
	var errs []error
	if s.AlwaysUV != w.alwaysUV || int(s.Passkeys) != len(w.known) || s.PINRetries != allTries || !s.PINSet {
		w.lost++
		w.Errorf("%s: status %+v", when, s)
	}
	blobs, err := readBlobs(w.Context(), w.channel())
	if errs = append(errs, err); err == nil && !bytes.Equal(blobs, w.blobs) {
		w.lost++
		w.Errorf("%s: %d bytes of large blobs, were %d", when, len(blobs), len(w.blobs))
	}
	if _, err = ctap.ReadPasskeys(w.Context(), w.channel()); err == nil {
		w.lost += w.missing(when, w.channel())
	}
	trail, trailErr := ctap.ReadTrail(w.Context(), w.channel())
	if trailErr == nil && trail.Broken == 0 {
		w.verifyTrailOf(trail, when)
	} else if trailErr == nil {
		trailErr = ctap.IntegrityFailure
	}
	errs = append(errs, err, trailErr)
	for i := range 2 {
		p := w.any(w.rounds*2 + i)
		count := p.count
		errs = append(errs, w.works(w.Context(), w.channel(), p)) // a wrong signature fails the test
		p.count = count                                           // this copy's alone
	}
	if err = errors.Join(errs...); err == nil {
		w.statuses["intact"]++
		return true
	}
	w.saw(err)
	if ctap.StatusOf(err) != ctap.IntegrityFailure {
		w.Errorf("%s: %v, want INTEGRITY_FAILURE", when, err)
	}
	return false
}

// TestStoreIsCutUnderTheDaemon takes the file's end away while it is open, as a disk that
// fails may. Requests get an error, the daemon lives, and with the file whole again the
// next daemon has everything.
func TestStoreIsCutUnderTheDaemon(t *testing.T) {
	w := populated(t, inTempDir(t))
	whole, err := os.ReadFile(w.path)
	check(t, err)
	check(t, os.Truncate(w.path, pageBytes))
	for range 2 { // the second finds what the first has broken off
		for _, o := range operations() {
			if err := o.run(t.Context(), w); err != nil && ctap.StatusOf(err) != ctap.IntegrityFailure {
				t.Errorf("%s: %v, want INTEGRITY_FAILURE", o.name, err)
			}
		}
	}
	if s := w.status(); s.Problem == nil {
		t.Errorf("status %+v", s)
	} else {
		w.explained(s.Problem, "status")
	}
	if err := w.d.Close(); ctap.StatusOf(err) != ctap.IntegrityFailure { // what waits cannot be written
		t.Errorf("closing it: %v, want INTEGRITY_FAILURE", err)
	}
	check(t, os.WriteFile(w.path, whole, 0o600))
	w.d = w.newDaemon(w.path)
	if s := w.status(); s.Problem != nil || s.Passkeys != 1 {
		t.Errorf("with the file whole again: %+v", s)
	}
}
