// Command scriptedhost is a native-messaging host with a script in place of an
// authenticator, for the tests that want to see what the extension tells its host, and
// what it makes of a host that misbehaves. It is never shipped.
//
// Its directory has two files: "script" has what to do, and "heard" gets the messages, one
// a line, and a line "withdrawn" where the port was closed on a question.
//
//	answer JSON      answers
//	echo             answers with the origin for an ID
//	hold             says that the person is asked, and no more
//	silent           nothing
//	crash            ends
//	crash-asking     says that the person is asked, and ends
//	junk             writes what is no message
//	text             writes a message that is not JSON
//	oversize         writes a message that is too long
//
// Whatever the script says, it is ready when it is asked for its status.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// oversize is more than Chromium takes.
const oversize = 1<<20 + 1

// echo is a credential whose ID tells the origin, in hexadecimal.
const echo = `{"protocol":1,"result":{"id":"%x","rawId":"AA","type":"public-key","clientExtensionResults":{},"response":{"clientDataJSON":"e30","attestationObject":"oA","authenticatorData":"AA"}}}`

const ready = `{"protocol":1,"result":{"version":"scripted","setUp":true,"pinSet":true,"pinRetries":8,"ready":true,"passkeys":2}}`

func main() {
	// A browser that withdraws has closed the pipe by the time of the answer, perhaps: what
	// it did is noted all the same.
	signal.Ignore(syscall.SIGPIPE)
	if err := run(filepath.Dir(os.Args[0]), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scriptedhost:", err)
		os.Exit(1)
	}
}

func run(dir string, in io.Reader, out io.Writer) error {
	for {
		message, err := read(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var asked struct{ Op, Origin string }
		if err := json.Unmarshal(message, &asked); err != nil {
			return err
		}
		if asked.Op == "status" {
			err = write(out, ready)
		} else if err = note(dir, string(message)); err == nil {
			err = answer(dir, asked.Origin, in, out)
		}
		if err != nil {
			return err
		}
	}
}

// answer does what the script says.
func answer(dir, origin string, in io.Reader, out io.Writer) error {
	script, err := os.ReadFile(filepath.Join(dir, "script"))
	if err != nil {
		return err
	}
	const asking = `{"protocol":1,"asking":true}`
	switch what, text, _ := strings.Cut(string(script), " "); what {
	case "answer":
		return write(out, text)
	case "echo":
		time.Sleep(500 * time.Millisecond) // so that others are asked meanwhile
		return write(out, fmt.Sprintf(echo, origin))
	case "hold":
		return errors.Join(write(out, asking), withdrawn(dir, in))
	case "silent":
		return withdrawn(dir, in)
	case "crash":
		return errors.New("as the script says")
	case "crash-asking":
		return errors.Join(write(out, asking), errors.New("as the script says"))
	case "junk":
		_, err := io.WriteString(out, strings.Repeat("what a day\n", 100))
		return err
	case "text":
		return write(out, "what a day")
	case "oversize":
		return write(out, `{"protocol":1,"result":"`+strings.Repeat("x", oversize)+`"}`)
	default:
		return fmt.Errorf("the script says %q", what)
	}
}

// withdrawn waits until the port is closed.
func withdrawn(dir string, in io.Reader) error {
	if _, err := read(in); !errors.Is(err, io.EOF) {
		return fmt.Errorf("a second message while the first one is open: %w", err)
	}
	return note(dir, `"withdrawn"`)
}

func note(dir, line string) error {
	file, err := os.OpenFile(filepath.Join(dir, "heard"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line + "\n")
	return errors.Join(err, file.Close())
}

// read gives a message. A browser that has gone leaves none.
func read(in io.Reader) ([]byte, error) {
	var length uint32
	if err := binary.Read(in, binary.NativeEndian, &length); err != nil {
		return nil, err
	}
	message := make([]byte, length)
	_, err := io.ReadFull(in, message)
	return message, err
}

func write(out io.Writer, text string) error {
	frame := binary.NativeEndian.AppendUint32(nil, uint32(len(text)))
	_, err := out.Write(append(frame, text...))
	return err
}
