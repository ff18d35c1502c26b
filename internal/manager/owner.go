package manager

import (
	"net"
	"os"
)

// ownersOnly closes the connections of other users before a byte is read. Sites that
// open in their browsers, and their programs, have no business here.
type ownersOnly struct{ net.Listener }

// Accept gives the next connection of this user.
func (l ownersOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, known := owner(conn.RemoteAddr(), conn.LocalAddr()); known && uid == os.Getuid() {
			return conn, nil
		}
		_ = conn.Close() // it was nobody's we talk to
	}
}
