package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestClock(t *testing.T) {
	b := build(t)
	expect(t, b.clock(), NotNeeded, "nothing to compare")
	b.Program = filepath.Join(t.TempDir(), "localpasskey")
	if err := os.WriteFile(b.Program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	expect(t, b.clock(), OK, b.Now.UTC().Format("2006-01-02"))
	b.Now = time.Unix(0, 0)
	expect(t, b.clock(), Problem, "1970-01-01 00:00 UTC is before")
	b.Now = time.Now().AddDate(40, 0, 0)
	expect(t, b.clock(), Problem, "thirty years")
}

func TestDisk(t *testing.T) {
	b := build(t)
	expect(t, b.disk(), NotNeeded, "no place")
	b.Store = filepath.Join(small(t, "256m"), "not", "yet", "passkeys.db")
	expect(t, b.disk(), OK, "256 MiB free")
	b.Store = filepath.Join(small(t, "1m"), "passkeys.db")
	expect(t, b.disk(), Problem, "1 MiB free")
	b.dir(serviceStores)
	expect(t, b.disk(), OK, b.at(serviceStores))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b = build(t)
	b.Store = filepath.Join(file, "below", "passkeys.db")
	expect(t, b.disk(), Problem, "cannot be looked at")
}

// small mounts a file system of a size, which this thread alone sees: it ends with the test.
func small(t *testing.T, size string) string {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skipf("only root can mount a file system: %v", err)
	}
	dir := t.TempDir()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
