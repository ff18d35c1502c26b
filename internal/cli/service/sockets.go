package service

import (
	"net"
	"os"
	"time"

	"github.com/localpasskey/localpasskey/internal/cli/exit"
)

// Sockets are where daemons listen.
type Sockets struct {
	Named  string // by the person, "" for none
	Own    string // of the user's own daemon, "" where the system names no place
	System string // of the daemon for all users, "" where there is never one
}

// answerPatience is how long a socket gets to let somebody connect.
const answerPatience = time.Second

// Client gives the path of the daemon to talk to: the one that is named, or else the
// user's own where one answers, or else the system's.
func (s *Sockets) Client() (string, error) {
	switch {
	case s.Named != "":
		return s.Named, nil
	case s.System != "" && exists(s.System) && !answers(s.Own):
		return s.System, nil
	case s.Own != "":
		return s.Own, nil
	default:
		return "", noPlace("say where the daemon listens: --socket PATH")
	}
}

func noPlace(hint string) error {
	return &exit.Error{What: "the system names no place for sockets (XDG_RUNTIME_DIR is not set)", Hint: hint, Code: exit.Usage}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// answers tells whether somebody listens there.
func answers(path string) bool {
	if path == "" {
		return false
	}
	dialer := net.Dialer{Timeout: answerPatience}
	conn, err := dialer.Dial("unix", path)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
