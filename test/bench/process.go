package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// starts is how often a daemon is started.
const starts = 7

// listening is what the daemon that is measured prints when it can be called.
const listening = "listening"

// serve is the daemon that is measured: as `localpasskey daemon --user`, but for the
// TPM, which is a software one whose state is in dir.
func serve(ctx context.Context, dir string, stdout io.Writer) (err error) {
	chip, err := swtpm.Start(ctx, filepath.Join(dir, "tpm"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chip.Close()) }()
	return daemon.Run(ctx, daemon.Config{
		StorePath: filepath.Join(dir, "passkeys.db"), OpenTPM: chip.Opener(), User: new(person),
		Version: "bench", Log: slog.New(slog.DiscardHandler),
	}, filepath.Join(dir, "socket"), func() { fmt.Fprintln(stdout, listening) })
}

// daemonSizes are of how many stores, the largest, a daemon is measured on.
const daemonSizes = 2

func daemonSection(size int) string {
	return fmt.Sprintf("The daemon, %s passkeys", figures.Grouped(size))
}

// measureOpening times what the daemon does before its first answer.
func (r *rig) measureOpening(ctx context.Context, runs int, t *table) error {
	for i := max(0, len(r.stacks)-daemonSizes); i < len(r.stacks); i++ {
		var took []time.Duration
		size, path := r.stacks[i].size, r.stacks[i].path
		for range min(runs, starts) {
			if err := r.stacks[i].close(); err != nil {
				return err
			}
			began := time.Now()
			s, err := r.open(ctx, path)
			if err != nil {
				return err
			}
			s.size, s.rig = size, r
			r.stacks[i] = s
			if _, err := s.channel.GetInfo(ctx); err != nil {
				return err
			}
			took = append(took, time.Since(began))
		}
		line := row{Section: daemonSection(size), Name: "store and TPM opened to first answer, in process", Value: figures.Median(took) / 1e3, Unit: "ms"}
		t.add(line.Bound("< 150 ms", line.Value, startLimit))
	}
	return nil
}

// measureProcess starts daemons on the store in dir and the TPM that r has switched
// off.
func measureProcess(ctx context.Context, dir string, size, runs int, r *rig, t *table) (err error) {
	mine := filepath.Join(dir, "tpm")
	if err := os.Rename(r.tpmDir, mine); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Rename(mine, r.tpmDir)) }()
	var took []time.Duration
	var idle, listed memory
	for range min(runs, starts) {
		d, err := startDaemon(ctx, dir)
		if err != nil {
			return err
		}
		took = append(took, d.took)
		idle, listed, err = d.weigh(ctx)
		if err := errors.Join(err, d.stop()); err != nil {
			return err
		}
	}
	section := daemonSection(size)
	line := row{Section: section, Name: "process started to first answer over the socket, starting swtpm included", Value: figures.Median(took) / 1e3, Unit: "ms"}
	t.add(line.Bound("< 150 ms", line.Value, startLimit))
	line = row{Section: section, Name: "resident memory after that", Value: idle.all, Unit: "MB"}
	t.add(line.Bound("< 40 MB", line.Value, memoryLimit))
	t.add(row{Section: section, Name: "of that, not of files that are mapped (the store, the program)", Value: idle.own, Unit: "MB"})
	t.add(row{Section: section, Name: "resident memory after listing all", Value: listed.all, Unit: "MB"})
	return nil
}

// process is a running daemon.
type process struct {
	cmd  *exec.Cmd
	conn *socket.Conn
	took time.Duration // from its start to its first answer
}

func startDaemon(ctx context.Context, dir string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-serve", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != listening {
		return nil, errors.Join(errors.New("the daemon did not start"), p.stop())
	}
	if p.conn, err = socket.Dial(ctx, filepath.Join(dir, "socket")); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	if _, err := ctap.NewClient(p.conn).GetInfo(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.took = time.Since(began)
	return p, nil
}

// memory is resident memory in MB of 10^6 bytes: VmRSS, and RssAnon, which is what the
// kernel cannot take back by itself.
type memory struct{ all, own float64 }

// weigh gives the daemon's memory before and after it has listed all passkeys.
func (p *process) weigh(ctx context.Context) (idle, listed memory, err error) {
	if idle, err = p.resident(); err != nil {
		return idle, listed, err
	}
	if _, err := ctap.ReadPasskeys(ctx, ctap.NewClient(p.conn)); err != nil {
		return idle, listed, err
	}
	listed, err = p.resident()
	return idle, listed, err
}

func (p *process) resident() (m memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	for line := range bytes.Lines(status) {
		var name string
		var kibibytes float64
		if n, _ := fmt.Sscanf(string(line), "%s %f kB", &name, &kibibytes); n < 2 {
			continue
		}
		switch name {
		case "VmRSS:":
			m.all = kibibytes * 1024 / 1e6
		case "RssAnon:":
			m.own = kibibytes * 1024 / 1e6
		}
	}
	if m.all == 0 || m.own == 0 {
		return m, errors.New("/proc says nothing of the daemon's memory")
	}
	return m, nil
}

func (p *process) stop() error {
	var errs []error
	if p.conn != nil {
		errs = append(errs, p.conn.Close())
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, p.cmd.Wait())...)
}

// measurePrograms builds the programs as they are shipped.
func measurePrograms(ctx context.Context, dir string, t *table) error {
	for _, program := range []string{"localpasskey", "localpasskey-browser"} {
		file := filepath.Join(dir, program)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file,
			"github.com/localpasskey/localpasskey/cmd/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", program, err, strings.TrimSpace(string(output)))
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		line := row{Section: "The programs", Name: "bin/" + program + ", stripped", Value: float64(info.Size()) / 1e6, Unit: "MB"}
		t.add(line.Bound("< 15 MB", line.Value, programLimit))
	}
	return nil
}
