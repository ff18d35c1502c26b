package swtpm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

func start(t *testing.T) *TPM {
	t.Helper()
	chip, err := Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chip.Close(); err != nil {
			t.Error(err)
		}
	})
	return chip
}

func dial(t *testing.T, chip *TPM) transport.TPMCloser {
	t.Helper()
	conn, err := chip.Opener()(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func session(t transport.TPM) error {
	_, err := tpm2.StartAuthSession{
		TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)},
		SessionType: tpm2.TPMSEPolicy, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}, AuthHash: tpm2.TPMAlgSHA256,
	}.Execute(t)
	return err
}

func primary(t transport.TPM) (tpm2.TPMHandle, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(t)
	if err != nil {
		return 0, err
	}
	return rsp.ObjectHandle, nil
}

func sessions(t *testing.T, chip *TPM) (n int) {
	t.Helper()
	conn := dial(t, chip)
	for _, kind := range []tpm2.TPMHT{tpm2.TPMHTHMACSession, tpm2.TPMHTPolicySession} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(kind) << 24, PropertyCount: 64}.Execute(conn)
		if err != nil {
			t.Fatal(err)
		}
		list, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		n += len(list.Handle)
	}
	return n
}

func TestConnectionsAreApart(t *testing.T) {
	chip := start(t)
	one, two := dial(t, chip), dial(t, chip)
	var first tpm2.TPMHandle
	for range maxSlots {
		h, err := primary(one)
		if err != nil {
			t.Fatal(err)
		}
		first = h
	}
	if _, err := primary(one); err == nil {
		t.Error("a fourth object on one connection")
	}
	mine, err := primary(two)
	if err != nil {
		t.Fatal("one connection's objects take another's room:", err)
	}
	if _, err = (tpm2.ReadPublic{ObjectHandle: mine}).Execute(two); err != nil {
		t.Error(err)
	}
	if _, err = (tpm2.FlushContext{FlushHandle: mine}).Execute(two); err != nil {
		t.Error(err)
	}
	if _, err = (tpm2.ReadPublic{ObjectHandle: first}).Execute(two); err == nil {
		t.Error("a connection sees another's object")
	}
}

func TestCloseFlushes(t *testing.T) {
	chip := start(t)
	for range 10 {
		conn := dial(t, chip)
		for range maxSlots {
			if err := session(conn); err != nil {
				t.Fatal(err)
			}
		}
		if err := session(conn); err == nil {
			t.Fatal("a fourth session on one connection")
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if err := session(conn); !errors.Is(err, errClosed) {
			t.Fatalf("a closed connection: %v", err)
		}
	}
	if n := sessions(t, chip); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestCommandsCountsSwapping(t *testing.T) {
	chip := start(t)
	conn := dial(t, chip)
	before := chip.Commands()
	if err := session(conn); err != nil { // StartAuthSession, ContextSave
		t.Fatal(err)
	}
	if _, err := primary(conn); err != nil { // ContextLoad, CreatePrimary, 2 ContextSave, FlushContext
		t.Fatal(err)
	}
	if got := chip.Commands() - before; got != 7 {
		t.Errorf("%d commands, want 7", got)
	}
}

func TestPower(t *testing.T) {
	chip := start(t)
	conn := dial(t, chip)
	h, err := primary(conn)
	if err != nil {
		t.Fatal(err)
	}
	before, err := tpm2.ReadPublic{ObjectHandle: h}.Execute(conn)
	if err != nil {
		t.Fatal(err)
	}
	for name, cycle := range map[string]func() error{
		"restart": func() error { return chip.Restart(t.Context()) },
		"cut": func() error {
			chip.Kill()
			if _, err := chip.Opener()(t.Context()); !errors.Is(err, ErrOff) {
				t.Errorf("opened without power: %v", err)
			}
			return chip.Restart(t.Context())
		},
	} {
		if err := cycle(); err != nil {
			t.Fatal(name, err)
		}
		if err := session(conn); !errors.Is(err, ErrOff) {
			t.Errorf("%s: a connection of before: %v", name, err)
		}
		again := dial(t, chip)
		if h, err = primary(again); err != nil {
			t.Fatal(name, err)
		}
		after, err := tpm2.ReadPublic{ObjectHandle: h}.Execute(again)
		if err != nil || string(after.Name.Buffer) != string(before.Name.Buffer) {
			t.Errorf("%s: another primary key: %v", name, err)
		}
	}
}

func TestConcurrent(t *testing.T) {
	chip := start(t)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 5 {
				conn, err := chip.Opener()(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if err = session(conn); err != nil {
					t.Error(err)
				}
				if _, err = primary(conn); err != nil {
					t.Error(err)
				}
				conn.Close()
			}
		})
	}
	done.Wait()
	if n := sessions(t, chip); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestThreadEnds: the thread that Start was called from may end; the TPM stays.
func TestThreadEnds(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	var chip *TPM
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		var err error
		chip, err = Start(ctx, dir)
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ended := make(chan struct{})
		go func() { runtime.LockOSThread(); close(ended) }()
		<-ended
	}
	time.Sleep(20 * time.Millisecond)
	if _, err := primary(dial(t, chip)); err != nil {
		t.Error("the TPM died with a thread:", err)
	}
	if err := chip.Close(); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	chip := start(t)
	pid := chip.child.cmd.Process.Pid
	if err := chip.Close(); err != nil {
		t.Fatal(err)
	}
	if err := chip.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

// TestChildDiesWithParent starts this test's program again, has it start a TPM and
// kills it.
func TestChildDiesWithParent(t *testing.T) {
	if dir := os.Getenv("SWTPM_TEST_PARENT"); dir != "" {
		chip, err := Start(t.Context(), filepath.Join(dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		pid := strconv.Itoa(chip.child.cmd.Process.Pid)
		if err := os.WriteFile(filepath.Join(dir, "pid"), []byte(pid), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	parent, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=^TestChildDiesWithParent$"},
		&os.ProcAttr{Env: append(os.Environ(), "SWTPM_TEST_PARENT="+dir)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parent.Wait(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if gone(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("swtpm %d outlived its parent", pid)
}

// gone tells whether a process has ended, reaped by whoever inherited it or not.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestOddDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a,mode=0777, b")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	chip, err := Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := chip.Close(); err != nil {
		t.Error(err)
	}
	if _, err = Start(t.Context(), filepath.Join(dir, "missing")); err == nil {
		t.Error("started without a directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chip.Opener()(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("opened for a dead context: %v", err)
	}
}
