package store_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// The variables that make this test binary a child with a job of its own.
const (
	childStore = "LOCALPASSKEY_TEST_CHILD_STORE"
	childSeed  = "LOCALPASSKEY_TEST_CHILD_SEED"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		if err := child(path, os.Getenv(childSeed), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child changes the store until it is killed, and says what is done:
//
//	put ID     counted ID N     gone ID
//
// "going ID" comes before a deletion, for then it may be there or not.
func child(path, seed string, out io.Writer) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	if err := s.Unlock(key(1), generation(1)); err != nil {
		return err
	}
	var ids [][]byte
	for c, err := range s.Each() {
		if err != nil {
			return err
		}
		ids = append(ids, c.ID)
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("ready %s", seed)
	for n := 0; ; n++ {
		c := storetest.Credential(&testing.T{}, fmt.Sprintf("site%d.example", n%5), 0)
		if err := s.Put(c); err != nil {
			return err
		}
		say("put %x", c.ID)
		ids = append(ids, c.ID)
		for i := range 3 {
			id := ids[(n*7+i)%len(ids)]
			count, err := s.NextSignCount(id)
			if err != nil {
				return err
			}
			say("counted %x %d", id, count)
			s.Used(id, time.Unix(int64(n), 0))
		}
		if n%3 == 2 {
			id := ids[0]
			say("going %x", id)
			if err := s.Delete(id); err != nil {
				return err
			}
			say("gone %x", id)
			ids = ids[1:]
		}
	}
}

// acknowledged is what children have said, over all their lives.
type acknowledged struct {
	counts map[string]uint64 // by hexadecimal id: what must be there
	going  map[string]bool   // what may be there or not
	gone   map[string]bool   // what must not
}

func (a *acknowledged) note(t *testing.T, line string) {
	t.Helper()
	fields := strings.Fields(line)
	switch id := fields[1]; fields[0] {
	case "ready":
	case "put":
		a.counts[id] = 0
	case "counted":
		n, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil || n <= a.counts[id] {
			t.Errorf("%s: the count was %d before", line, a.counts[id])
		}
		a.counts[id] = n
	case "going":
		a.going[id] = true
	case "gone":
		delete(a.counts, id)
		delete(a.going, id)
		a.gone[id] = true
	default:
		t.Fatalf("the child says %q", line)
	}
}

// check compares the store with what was acknowledged.
func (a *acknowledged) check(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Unlock(key(1), generation(1)); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for c, err := range s.Each() {
		if err != nil {
			t.Fatal(err)
		}
		id := hex.EncodeToString(c.ID)
		found[id] = true
		if a.gone[id] {
			t.Errorf("%s was deleted, and is back", id)
		}
		if uint64(c.SignCount) < a.counts[id] {
			t.Errorf("%s has count %d, and %d was given out", id, c.SignCount, a.counts[id])
		}
		// One step more may have been taken than was said.
		a.counts[id] = uint64(c.SignCount)
	}
	for id := range a.counts {
		switch {
		case found[id]:
		case a.going[id]:
			delete(a.counts, id)
			a.gone[id] = true
		default:
			t.Errorf("%s was stored, and is lost", id)
		}
	}
	clear(a.going)
	if n, err := s.Count(); err != nil || n != len(found) {
		t.Errorf("Count is %d, %v; there are %d", n, err, len(found))
	}
}

// TestKilled kills a busy process 20 times, at moments all over its work.
func TestKilled(t *testing.T) {
	const kills = 20
	path := filepath.Join(t.TempDir(), "store.db")
	a := &acknowledged{counts: make(map[string]uint64), going: make(map[string]bool), gone: make(map[string]bool)}
	lines := 0
	for life := range kills {
		lines += live(t, path, life, a)
		a.check(t, path)
		if t.Failed() {
			t.Fatalf("in life %d", life)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside the store: %v, %v", entries, err)
	}
	t.Logf("%d steps acknowledged, %d credentials left", lines, len(a.counts))
}

// live runs a child, kills it when it has said a number of things that differs
// each time, and gives how many it said in all.
func live(t *testing.T, path string, life int, a *acknowledged) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childStore+"="+path, childSeed+"="+strconv.Itoa(life))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		a.note(t, scanner.Text())
		if said++; said == 2+life*7 {
			// A little later, so that it hits the middle of something.
			go func() {
				<-time.After(time.Duration(life) * 300 * time.Microsecond)
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}()
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return said
}

// TestDiskFull fills a small file system: what was acknowledged stays, what does
// not fit is refused with words, and when there is room it goes on.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	mountSmall(t, dir)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := unlocked(t, filepath.Join(dir, "store.db"))
	var stored [][]byte
	var failure error
	for n := range 5000 {
		c := storetest.Credential(t, "a.example", n)
		if failure = s.Put(c); failure != nil {
			break
		}
		stored = append(stored, c.ID)
	}
	var problem *ctap.Problem
	if !errors.As(failure, &problem) || problem.Status != ctap.KeyStoreFull || !strings.Contains(problem.What, "disk is full") {
		t.Fatalf("after %d credentials: %v", len(stored), failure)
	}
	checkStored := func() {
		t.Helper()
		if n, err := s.Count(); err != nil || n != len(stored) {
			t.Fatalf("count %d, %v; %d were acknowledged", n, err, len(stored))
		}
		for _, id := range stored {
			if c, err := s.ByID(id); err != nil || c == nil {
				t.Fatalf("an acknowledged credential gives %v, %v", c, err)
			}
		}
	}
	checkStored()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	c := storetest.Credential(t, "a.example", 1)
	if err := s.Put(c); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	stored = append(stored, c.ID)
	checkStored()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = unlocked(t, filepath.Join(dir, "store.db"))
	checkStored()
}
