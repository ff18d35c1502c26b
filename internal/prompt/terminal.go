package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// maxLine is the longest line that is read, in bytes.
const maxLine = 512

// lastWords is how long a question that was withdrawn may take to say so, on a
// terminal that the person has stopped (Ctrl-S).
const lastWords = 100 * time.Millisecond

// Errors of questions.
var (
	// ErrNoAnswer is the end of input (Ctrl-D) in place of an answer.
	ErrNoAnswer = errors.New("no answer")
	// ErrTooLong is an answer longer than any PIN or name.
	ErrTooLong = errors.New("the answer is too long")
	// ErrBackground is a question from a job in the background, which the system
	// would stop for asking it.
	ErrBackground = errors.New("this job is in the background: it cannot ask")
)

// Terminal is the person's terminal. It is an authenticator.User.
type Terminal struct {
	tty *os.File
	// turn is held while a question is open.
	turn chan struct{}
}

// Open opens the terminal at path; "/dev/tty" is the one this process belongs to.
func Open(path string) (*Terminal, error) {
	tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t := &Terminal{tty: tty, turn: make(chan struct{}, 1)}
	// A question that cannot be closed from outside would outlive its request.
	err = tty.SetDeadline(time.Time{})
	if err == nil {
		_, err = t.mode()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no terminal to ask at: %w", path, err), tty.Close())
	}
	return t, nil
}

// Close closes the terminal; an open question ends first.
func (t *Terminal) Close() error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	return t.tty.Close()
}

// Foreground tells whether this process may ask now. A job in the background of
// its own terminal would be stopped by the system if it did; at a terminal that is
// not its own (ENOTTY) there are no jobs.
func (t *Terminal) Foreground() bool {
	group := 0
	err := t.control(func(fd int) (err error) {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return errors.Is(err, unix.ENOTTY) || err == nil && group == unix.Getpgrp()
}

// Line asks a question and gives the line that was typed, without its ends.
// ErrNoAnswer, ErrTooLong, ErrBackground or the context's error otherwise.
func (t *Terminal) Line(ctx context.Context, question string) (answer string, err error) {
	err = t.open(ctx, func(q *asking) error {
		answer, err = q.line(ctx, question)
		return err
	})
	return answer, err
}

// Secret is Line without echo, and nothing cut off. The caller wipes the answer.
func (t *Terminal) Secret(ctx context.Context, question string) (answer secret.Bytes, err error) {
	err = t.open(ctx, func(q *asking) error {
		answer, err = q.secret(ctx, question)
		return err
	})
	return answer, err
}

// Lend gives the terminal to another program for as long as use runs. No question of
// ours is open meanwhile, and whatever the program does, the terminal's mode is as it
// was when it has ended.
func (t *Terminal) Lend(ctx context.Context, use func() error) (err error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	before, err := t.mode()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.setMode(before)) }()
	return use()
}

// asking is the terminal while this goroutine alone asks.
type asking struct{ t *Terminal }

// open waits for its turn and asks in it. Writes and reads end with ctx.
func (t *Terminal) open(ctx context.Context, ask func(*asking) error) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !t.Foreground() {
		return ErrBackground
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		// Neither fails: they worked in Open.
		_ = t.tty.SetReadDeadline(time.Unix(1, 0))
		_ = t.tty.SetWriteDeadline(time.Now().Add(lastWords))
	})
	defer func() {
		if !stop() {
			<-interrupted
			_ = t.tty.SetDeadline(time.Time{})
		}
	}()
	return ask(&asking{t})
}

func (q *asking) print(format string, args ...any) {
	fmt.Fprintf(q.t.tty, format, args...)
}

func (q *asking) line(ctx context.Context, question string) (string, error) {
	var buffer [maxLine]byte
	n, err := q.read(ctx, question, true, buffer[:])
	return strings.TrimSpace(string(buffer[:n])), err
}

func (q *asking) secret(ctx context.Context, question string) (secret.Bytes, error) {
	buffer := secret.Of(make([]byte, maxLine))
	defer buffer.Wipe()
	n, err := q.read(ctx, question, false, buffer.Reveal())
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.Of(append(make([]byte, 0, n), buffer.Reveal()[:n]...)), nil
}

// read asks and reads one line into buffer, without its newline.
func (q *asking) read(ctx context.Context, question string, echo bool, buffer []byte) (n int, err error) {
	before, err := q.t.mode()
	if err != nil {
		return 0, err
	}
	if err := q.t.setMode(questionMode(before, echo)); err != nil {
		return 0, err
	}
	defer func() {
		if !echo || err != nil {
			q.print("\n") // the person's own was not shown, or never came
		}
		err = errors.Join(err, q.t.setMode(before))
	}()
	q.print("%s", question)
	n, err = q.readLine(buffer)
	if ctx.Err() != nil {
		return 0, ctx.Err() // the deadline is only how the context gets through
	}
	return n, err
}

// readLine reads up to a newline; of a line too long it reads all and keeps none.
func (q *asking) readLine(buffer []byte) (int, error) {
	n := 0
	for full := false; ; {
		if n == len(buffer) {
			n, full = 0, true
		}
		got, err := q.t.tty.Read(buffer[n:])
		if errors.Is(err, io.EOF) || (err == nil && got == 0) {
			return 0, ErrNoAnswer
		}
		if err != nil {
			return 0, err
		}
		if n += got; buffer[n-1] != '\n' {
			continue
		}
		if full {
			return 0, ErrTooLong
		}
		return n - 1, nil
	}
}

// questionMode is mode with line editing on, and echo as wanted. Ctrl-Z is off: who
// suspends a question would type into whatever comes next.
func questionMode(mode unix.Termios, echo bool) unix.Termios {
	mode.Lflag |= unix.ICANON | unix.ISIG | unix.ECHO | unix.ECHOE | unix.ECHOK
	mode.Lflag &^= unix.ECHONL
	mode.Iflag |= unix.ICRNL | unix.IUTF8 // or the erase key takes half a character, unseen
	mode.Iflag &^= unix.INLCR | unix.IGNCR
	if !echo {
		mode.Lflag &^= unix.ECHO | unix.ECHOE | unix.ECHOK
	}
	mode.Cc[unix.VSUSP] = noCharacter
	return mode
}

func (t *Terminal) mode() (mode unix.Termios, err error) {
	err = t.control(func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, getMode)
		if err == nil {
			mode = *now
		}
		return err
	})
	return mode, err
}

// setMode sets the mode and discards what was typed and not read.
func (t *Terminal) setMode(mode unix.Termios) error {
	return t.control(func(fd int) error { return unix.IoctlSetTermios(fd, setModeAndFlush, &mode) })
}

func (t *Terminal) control(do func(fd int) error) error {
	raw, err := t.tty.SyscallConn()
	if err != nil {
		return err
	}
	if fault := raw.Control(func(fd uintptr) { err = do(int(fd)) }); fault != nil {
		return fault
	}
	return err
}
