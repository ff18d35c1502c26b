package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// Ours: how much is told about a program.
const (
	maxPrograms     = 8
	maxProgramRunes = 32
)

// Chain names the process and its parents, nearest first, but not init.
func Chain(pid int) []string {
	var names []string
	for pid > 0 && len(names) < maxPrograms {
		dir := "/proc/" + strconv.Itoa(pid)
		name, err := os.ReadFile(dir + "/comm") //nolint:gosec // a number from the kernel
		if err != nil {
			break
		}
		names = append(names, printable(string(bytes.TrimSuffix(name, []byte("\n")))))
		stat, err := os.ReadFile(dir + "/stat") //nolint:gosec // as above
		if err != nil {
			break
		}
		if pid = parent(stat); pid == 1 {
			break
		}
	}
	return names
}

// parent gives the parent's pid out of /proc/PID/stat, 0 where there is none. The
// name in it may hold spaces and parentheses, so the last one counts.
func parent(stat []byte) int {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	pid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return pid
}

// printable replaces what could play tricks on a terminal or a dialog.
func printable(name string) string {
	count := 0
	return strings.Map(func(r rune) rune {
		if count++; count > maxProgramRunes {
			return -1
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}

// HolderChains gives the Chain of each process that has the device node open, but for
// this one and those that have ended meanwhile. None is empty.
func HolderChains(node string) [][]string {
	var chains [][]string
	for _, pid := range holders(node) {
		if chain := Chain(pid); len(chain) > 0 {
			chains = append(chains, chain)
		}
	}
	return chains
}

// holders gives the processes that have the device node open, but for this one. A node counts as the same under any name: sandboxes have their own.
func holders(node string) []int {
	var wanted unix.Stat_t
	if err := unix.Stat(node, &wanted); err != nil || wanted.Mode&unix.S_IFMT != unix.S_IFCHR {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && holds(pid, wanted.Rdev) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// holds tells whether a process has a device open; no where it cannot be looked into.
func holds(pid int, device uint64) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		// The link's text spares most files a stat, which can hang on a dead network.
		if target, err := os.Readlink(file); err != nil || !strings.HasPrefix(target, "/dev/") {
			continue
		}
		var open unix.Stat_t
		if err := unix.Stat(file, &open); err == nil && open.Mode&unix.S_IFMT == unix.S_IFCHR && open.Rdev == device {
			return true
		}
	}
	return false
}
