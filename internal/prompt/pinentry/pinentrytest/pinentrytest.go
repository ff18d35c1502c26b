// Package pinentrytest provides a pinentry program with a script in place of a person.
// Only tests and what is below test/ import it.
//
// It lives in a directory of its own, with two files: "answers" has a line for each
// dialog, and the last one stays; "shown" gets what the dialogs said.
//
//	yes          OK
//	no           cancelled
//	next         the third button
//	pin TEXT     TEXT was typed
//	hold         nothing, until the program is ended
//	stubborn     the same, and SIGTERM is ignored
//	broken       the program shows nothing
package pinentrytest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	answersFile = "answers"
	shownFile   = "shown"
	perm        = 0o600
)

// Answer makes the program in dir answer so from now on.
func Answer(dir string, answers ...string) error {
	return os.WriteFile(filepath.Join(dir, answersFile), []byte(strings.Join(answers, "\n")+"\n"), perm)
}

// Shown gives what dialogs have said since the last call: a line for each command but
// options, decoded.
func Shown(dir string) (string, error) {
	file, err := locked(dir)
	if err != nil {
		return "", err
	}
	shown, err := io.ReadAll(file)
	return string(shown), errors.Join(err, file.Truncate(0), file.Close())
}

// locked opens the file of what was shown, for one process at a time until it is closed:
// a line that is written while another reads and empties it would be lost.
func locked(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, shownFile), os.O_CREATE|os.O_APPEND|os.O_RDWR, perm)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Run is the program.
func Run(dir string, in io.Reader, out io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("OK Pleased to meet you")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		if command != "OPTION" {
			if err := show(dir, command, argument); err != nil {
				return err
			}
		}
		switch command {
		case "BYE":
			say("OK closing connection")
			return nil
		case "GETINFO":
			say("D scripted")
			say("OK")
		case "GETPIN", "CONFIRM":
			answer, err := next(dir)
			if err != nil {
				return err
			}
			respond(answer, say)
		default:
			say("OK")
		}
	}
	return nil
}

func show(dir, command, argument string) error {
	text, err := url.PathUnescape(argument)
	if err != nil {
		return err
	}
	file, err := locked(dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s\n", strings.TrimSpace(command+" "+text))
	return errors.Join(err, file.Close())
}

// next takes the next answer; the last one is left.
func next(dir string) (string, error) {
	file := filepath.Join(dir, answersFile)
	script, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	answer, rest, _ := strings.Cut(string(script), "\n")
	if rest != "" {
		err = os.WriteFile(file, []byte(rest), perm) //nolint:gosec // the test's own directory
	}
	return answer, err
}

// wait waits for a signal that nobody sends. An empty select would not do: once no other goroutine is left,
// Go takes it for a deadlock and ends the program.
func wait() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.SIGUSR1)
	<-never
}

func respond(answer string, say func(string, ...any)) {
	switch what, text, _ := strings.Cut(answer, " "); what {
	case "yes":
		say("OK")
	case "no":
		say("ERR 83886179 Operation cancelled <Pinentry>")
	case "next":
		say("ERR 83886194 Not confirmed <Pinentry>")
	case "pin":
		say("D %s", strings.ReplaceAll(text, "%", "%25"))
		say("OK")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		wait()
	case "hold":
		wait()
	default:
		say("ERR 83886340 No pinentry <Pinentry>")
	}
}
