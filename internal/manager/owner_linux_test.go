package manager

import (
	"encoding/binary"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// as has cmd run as another user.
func as(cmd *exec.Cmd, uid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
}

func TestOwnerIn(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the lists below are those of a little-endian machine")
	}
	from, to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 0xABCD}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 0x1F90}
	line := func(local, remote, uid string) string {
		return fmt.Sprintf("   1: %s %s 01 00000000:00000000 00:00000000 00000000 %s        0 4711 1 0 20 4 30 10 -1\n", local, remote, uid)
	}
	const mapped = "0000000000000000FFFF0000"
	heading := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for name, c := range map[string]struct {
		list  string
		uid   int
		known bool
	}{
		"empty":          {"", 0, false},
		"ours":           {heading + line("0100007F:ABCD", "0100007F:1F90", "1000"), 1000, true},
		"by IPv6":        {heading + line(mapped+"0100007F:ABCD", mapped+"0100007F:1F90", "1001"), 1001, true},
		"the other end":  {heading + line("0100007F:1F90", "0100007F:ABCD", "1000"), 0, false},
		"another port":   {heading + line("0100007F:ABCE", "0100007F:1F90", "1000"), 0, false},
		"another server": {heading + line("0100007F:ABCD", "0100007F:1F91", "1000"), 0, false},
		"no number":      {heading + line("0100007F:ABCD", "0100007F:1F90", "root"), 0, false},
		"cut short":      {heading + "   1: 0100007F:ABCD 0100007F:1F90 01", 0, false},
	} {
		uid, known := ownerIn(strings.NewReader(c.list), from, to)
		if uid != c.uid || known != c.known {
			t.Errorf("%s: %d, %t; want %d, %t", name, uid, known, c.uid, c.known)
		}
	}
}

// TestOwnerByIPv6 connects to the IPv4 address by an IPv6 socket, as some programs do.
func TestOwnerByIPv6(t *testing.T) {
	s := served(t)
	_, port, _ := net.SplitHostPort(s.host)
	conn, err := net.Dial("tcp", "[::ffff:127.0.0.1]:"+port)
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	defer conn.Close()
	if uid, known := owner(conn.LocalAddr(), conn.RemoteAddr()); !known || uid != syscall.Getuid() {
		t.Errorf("owner: %d, %t", uid, known)
	}
}
