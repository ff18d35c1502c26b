package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Ours: how long a process may take to end by itself, and how often we look for what
// it makes when it is up.
const (
	farewell = 5 * time.Second
	glance   = 50 * time.Millisecond
)

// logTail is how many lines of a log go with an error.
const logTail = 40

// process is a program with those it starts, in a process group of their own.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *Log
	ended chan struct{}
}

// start runs a program whose home is dir, with env beside the usual. It outlives ctx, and
// ends with this process at the latest.
func start(ctx context.Context, dir string, env []string, program string, args ...string) (*process, error) {
	temp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	p := &process{name: filepath.Base(program), log: newLog(), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + dir, "TMPDIR=" + temp, "XDG_RUNTIME_DIR=" + temp,
	}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second // its children may hold the log open
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return p, nil
}

// stop asks the program to end, and does not ask twice.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(farewell):
	}
	// Those that it has started may be left, or it may be deaf.
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-p.ended
	return nil
}

// await waits until ready has what it looks for.
func (p *process) await(ctx context.Context, what string, ready func() bool) error {
	for !ready() {
		select {
		case <-p.ended:
			return p.problem(fmt.Errorf("%s has ended: %s", p.name, p.cmd.ProcessState))
		case <-ctx.Done():
			return p.problem(fmt.Errorf("%s: %s: %w", p.name, what, ctx.Err()))
		case <-time.After(glance):
		}
	}
	return nil
}

// problem adds what the process said last.
func (p *process) problem(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; its log ends in:\n%s", err, p.log.Tail(logTail))
}
