//go:build linux

package faults

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

const (
	diskBytes = 16 << 20
	pageBytes = 4096
)

// disk is where the store is, and can be full.
type disk struct {
	dir string
	own bool // a file system of its own, which takes root
}

// newDisk is a small file system, or for who may not mount one a directory.
func newDisk(t *testing.T) *disk {
	t.Helper()
	d := &disk{dir: t.TempDir()}
	err := unix.Mount("none", d.dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	if d.own = err == nil; !d.own {
		return d
	}
	t.Cleanup(func() { check(t, unix.Unmount(d.dir, unix.MNT_DETACH)) })
	return d
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves room for so many pages, by taking the rest away.
func (d *disk) fill(pages int) error {
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	var free unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &free); err != nil {
		return err
	}
	if want := int64(free.Bavail)*free.Bsize - int64(pages)*pageBytes; want > 0 {
		err = unix.Fallocate(int(f.Fd()), 0, 0, want)
	}
	return errors.Join(err, f.Close())
}

// limit lets no file of this process grow, nor be written to, beyond so many pages:
// writes fail with EFBIG in the middle of the store.
func limit(pages uint64) error {
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: pages * pageBytes, Max: math.MaxUint64})
}

// free undoes both.
func (d *disk) free(t *testing.T) {
	t.Helper()
	check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: math.MaxUint64, Max: math.MaxUint64}))
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// limitedName tells a process that its writes may be limited.
const limitedName = "LOCALPASSKEY_TEST_LIMITED"

// inItsOwnProcess runs the test again in a process that writes to no file but the store:
// the limit is a process's, and the go command has this one keep a log.
func inItsOwnProcess(t *testing.T) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=0")
	child.Env = append(os.Environ(), limitedName+"=1")
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	check(t, err)
}

// full is a disk that is full from the nth TPM command of an operation on, 0 for from
// its beginning. It has room for some pages, or takes none beyond that many.
type full struct {
	o      operation
	n      int
	room   int
	limits bool
}

func (f full) String() string {
	how := "room for %d more pages"
	if f.limits {
		how = "nothing beyond page %d"
	}
	return fmt.Sprintf("%s, full from command %d on, "+how, f.o.name, f.n, f.room)
}

// TestFullDisk fills the disk at any moment of each operation. What was acknowledged
// stays, what was not has changed nothing, and with room again all goes on.
func TestFullDisk(t *testing.T) {
	if os.Getenv(limitedName) == "" {
		inItsOwnProcess(t)
		return
	}
	d := newDisk(t)
	w := populated(t, filepath.Join(d.dir, "data", "passkeys.db"))
	t.Cleanup(func() { d.free(t) })
	random := rand.New(rand.NewPCG(3, 4)) // the same moments every time
	commands := map[string]int{}
	for _, o := range operations() {
		before := w.line.count()
		check(t, o.run(t.Context(), w))
		commands[o.name] = w.line.count() - before
	}
	for round := range rounds(60) {
		all := operations()
		o := all[random.IntN(len(all))]
		f := full{o: o, n: random.IntN(commands[o.name] + 1), room: random.IntN(6), limits: !d.own || round%2 == 0}
		if f.limits {
			info, err := os.Stat(w.path)
			check(t, err)
			f.room = random.IntN(int(info.Size() / pageBytes))
		}
		w.rounds++
		w.meetsFullDisk(d, f, fmt.Sprintf("round %d: %v", round, f))
		if t.Failed() {
			break
		}
	}
	w.verifyTrail("at the end")
	w.log(t, "disk full")
}

func (w *world) meetsFullDisk(d *disk, f full, when string) {
	w.Helper()
	seen := 0
	fill := func() {
		err := error(nil)
		if f.limits {
			err = limit(uint64(f.room))
		} else {
			err = d.fill(f.room)
		}
		if err != nil {
			w.Errorf("%s: filling the disk: %v", when, err)
		}
	}
	w.line.meddles(func(send func() ([]byte, error)) ([]byte, error) {
		if seen++; seen == f.n {
			fill()
		}
		return send()
	})
	if f.n == 0 {
		fill()
	}
	err := f.o.run(w.Context(), w)
	w.line.meddles(nil)
	w.saw(err)
	if !slices.Contains([]ctap.Status{ctap.StatusOK, ctap.KeyStoreFull}, ctap.StatusOf(err)) {
		w.Errorf("%s: %v, want KEY_STORE_FULL", when, err)
	}
	if s := w.status(); s.Problem != nil {
		w.Errorf("%s: while it is full: %+v", when, s.Problem)
	}
	w.lost += w.missing(when+", while it is full", w.channel())
	d.free(w.T)
	if err == nil {
		w.acknowledged++
	}
	check(w, f.o.run(w.Context(), w))
	w.acknowledged++
	w.verify(when)
}
