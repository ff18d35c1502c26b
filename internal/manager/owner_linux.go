package manager

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// owner tells which user holds the other end of a connection within this machine: TCP
// has no SO_PEERCRED, but the kernel lists every socket with its owner. A socket that
// has gone already has none.
func owner(remote, local net.Addr) (uid int, known bool) {
	from, ok := remote.(*net.TCPAddr)
	to, alsoOK := local.(*net.TCPAddr)
	if !ok || !alsoOK {
		return 0, false
	}
	// A program may reach an IPv4 address by an IPv6 socket, which is in the other list.
	for _, list := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(list)
		if err != nil {
			continue
		}
		uid, known = ownerIn(file, from, to)
		_ = file.Close() // it was only read
		if known {
			return uid, true
		}
	}
	return 0, false
}

// ownerIn looks a socket up in the kernel's list (Linux, proc_net_tcp).
func ownerIn(list io.Reader, from, to *net.TCPAddr) (uid int, known bool) {
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		const localField, remoteField, uidField = 1, 2, 7
		fields := strings.Fields(lines.Text())
		if len(fields) <= uidField || !isAddress(fields[localField], from) || !isAddress(fields[remoteField], to) {
			continue
		}
		uid, err := strconv.Atoi(fields[uidField])
		return uid, err == nil
	}
	return 0, false
}

// isAddress compares with the kernel's form: the address in words of 32 bits, each in
// this machine's order of bytes, and the port, in hex.
func isAddress(text string, address *net.TCPAddr) bool {
	words := func(ip net.IP) string {
		var b strings.Builder
		for ; len(ip) >= 4; ip = ip[4:] {
			fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(ip))
		}
		return b.String()
	}
	port := fmt.Sprintf(":%04X", address.Port)
	return text == words(address.IP.To4())+port || text == words(address.IP.To16())+port
}
