package pinentry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// mercy is what a program that is told to end has for giving the screen back.
const mercy = 100 * time.Millisecond

// ErrNotShown is a program that could not show its dialog: nobody was asked.
var ErrNotShown = errors.New("the pinentry program shows no dialog")

// dialog is what one process shows.
type dialog struct {
	program          string
	ttyName          string // of the terminal that a program without a display uses
	text             string // lines
	prompt           string // beside the field, for a secret
	yes, no, neither string // the buttons; neither is a third one, if not ""
	fault            string // what was wrong with the answer before
}

// running is a pinentry process with its dialog set up.
type running struct {
	conn

	cmd  *exec.Cmd
	end  context.CancelFunc
	stay func() bool // see hangUpAfter
}

// open starts a program. It ends with ctx; close it in any case.
func (d *dialog) open(ctx context.Context) (*running, error) {
	ctx, end := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, d.program) //nolint:gosec // the person's own choice
	cmd.WaitDelay = mercy
	cmd.SysProcAttr = endWithUs()
	// A script that starts the real program is ended together with it. What uses the
	// terminal has to stay in the group that the terminal is for.
	cmd.SysProcAttr.Setpgid = d.ttyName == ""
	cmd.Cancel = func() error {
		if cmd.SysProcAttr.Setpgid {
			return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		}
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	r := &running{cmd: cmd, end: end, stay: func() bool { return true }}
	err := r.start(ctx, d)
	if err != nil {
		r.close()
		return nil, fmt.Errorf("%w: %w", ErrNotShown, err)
	}
	return r, nil
}

func (r *running) start(ctx context.Context, d *dialog) (err error) {
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	r.out = out
	if err := r.cmd.Start(); err != nil {
		return err
	}
	r.stay = r.hangUpAfter(ctx, out)
	return r.prepare(d)
}

// hangUpAfter has nobody wait for an answer when ctx has ended, also where a child of the
// program's lives on and keeps the pipe open. stay has it not do so any more.
func (r *running) hangUpAfter(ctx context.Context, out io.Closer) (stay func() bool) {
	hangUp := func() {
		if r.cmd.SysProcAttr.Setpgid {
			_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		}
		_ = out.Close()
	}
	return context.AfterFunc(ctx, func() { time.AfterFunc(mercy, hangUp) })
}

// close ends the program, whether it has shown what it should or not.
func (r *running) close() {
	r.stay()
	r.end()
	if r.cmd.Process != nil {
		_ = r.cmd.Wait() // how it ends says nothing
	}
}

// prepare tells the program all but the question itself. A graphical program may know no
// terminal.
func (r *running) prepare(d *dialog) error {
	if err := r.greeted(); err != nil {
		return err
	}
	if d.ttyName != "" {
		err := r.set("OPTION", "ttyname="+d.ttyName)
		if _, unknown := errors.AsType[*refused](err); err != nil && !unknown {
			return err
		}
	}
	for _, text := range []struct{ command, value string }{
		{"SETTITLE", title},
		{"SETDESC", d.text},
		{"SETPROMPT", d.prompt},
		{"SETERROR", d.fault},
		{"SETOK", d.yes},
		{"SETCANCEL", d.no},
		{"SETNOTOK", d.neither},
	} {
		if text.value == "" {
			continue
		}
		if err := r.set(text.command, text.value); err != nil {
			return err
		}
	}
	return nil
}

// answer is how a dialog was closed.
type answer int

const (
	answerNo answer = iota
	answerYes
	answerNeither
)

// confirm shows the dialog without a field.
func (r *running) confirm() (answer, error) {
	return closedBy(r.set("CONFIRM", ""))
}

// secret shows the dialog with a field, and gives what was typed, zero for a no. The
// caller wipes it.
func (r *running) secret() (secret.Bytes, error) {
	typed, err := r.do("GETPIN", "")
	if _, err := closedBy(err); err != nil {
		return secret.Bytes{}, err
	}
	return typed, nil
}

// closedBy reads a dialog's end. Errors but those of the person are of a program that
// showed nothing.
func closedBy(err error) (answer, error) {
	if err == nil {
		return answerYes, nil
	}
	no, ok := errors.AsType[*refused](err)
	switch {
	case ok && no.code == codeNotConfirmed:
		return answerNeither, nil
	case ok && (no.code == codeCanceled || no.code == codeTimeout):
		return answerNo, nil
	default:
		return answerNo, fmt.Errorf("%w: %w", ErrNotShown, err)
	}
}
