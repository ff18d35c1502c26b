package doctor

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one name may go through, as in Linux.
const maxLinks = 40

// at is the file called name, an absolute path, of the machine that is examined.
func (m Machine) at(name string) string { return filepath.Join(m.Root, name) }

// has tells whether there is a file of that name, whatever it is.
func (m Machine) has(name string) bool {
	_, err := os.Lstat(m.at(name))
	return err == nil
}

// missing tells whether there is nothing of that name, which is not below Root.
func missing(name string) bool {
	_, err := os.Lstat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// first gives the first of names that there is, or "".
func (m Machine) first(names ...string) string {
	for _, name := range names {
		if m.has(name) {
			return name
		}
	}
	return ""
}

// resolve follows a file that is a symbolic link to what it is in the end; a link to an
// absolute name stays below Root. It gives the name within the machine, and "" where there
// is no such file.
func (m Machine) resolve(name string) string {
	for range maxLinks {
		target, err := os.Readlink(m.at(name))
		switch {
		case err != nil && m.has(name):
			return name
		case err != nil:
			return ""
		case filepath.IsAbs(target):
			name = target
		default:
			name = filepath.Join(filepath.Dir(name), target)
		}
	}
	return ""
}

// executable tells whether somebody may run what name is in the end.
func (m Machine) executable(name string) bool {
	name = m.resolve(name)
	if name == "" {
		return false
	}
	info, err := os.Stat(m.at(name))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// program finds one of the programs called names on the path, and gives its file; "" for
// none.
func (m Machine) program(names ...string) string {
	for _, name := range names {
		for _, dir := range m.Path {
			if path := filepath.Join(dir, name); filepath.IsAbs(dir) && m.executable(path) {
				return path
			}
		}
	}
	return ""
}

// read gives the beginning of a file, at most 64 KiB, and "" where it cannot be read.
func (m Machine) read(name string) string {
	const most = 1 << 16
	f, err := os.Open(m.at(name))
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // It was read from alone.
	content, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(content)
}

// list gives the names of what is in a directory, none where it cannot be read.
func (m Machine) list(dir string) []string {
	entries, err := os.ReadDir(m.at(dir))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// access is who may use a device.
type access struct {
	mine, everybody bool
	group           string // "root:tss 0660", for people
}

// accessTo tells who may read and write the device called name.
func (m Machine) accessTo(name string) (access, error) {
	info, err := os.Stat(m.at(name))
	if err != nil {
		return access{}, err
	}
	a := access{everybody: both(info.Mode().Perm())}
	a.mine = a.everybody || m.UID == 0
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		a.group = m.groupName(int(owner.Gid))
		switch mode := info.Mode().Perm(); {
		case int(owner.Uid) == m.UID:
			a.mine = a.mine || both(mode>>6)
		case slices.Contains(m.Groups, int(owner.Gid)):
			a.mine = a.mine || both(mode>>3)
		}
	}
	// Access lists (udev's uaccess) are beside the mode; only the kernel reads them, and
	// only for who asks.
	if m.UID == os.Geteuid() && unix.Access(m.at(name), unix.R_OK|unix.W_OK) == nil {
		a.mine = true
	}
	return a, nil
}

// both tells whether the lowest three bits allow reading and writing.
func both(mode fs.FileMode) bool { return mode&0o6 == 0o6 }

// groupName is a group's name, of the machine's own list, or its number.
func (m Machine) groupName(gid int) string {
	want := strconv.Itoa(gid)
	for line := range strings.Lines(m.read("/etc/group")) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) >= 3 && fields[2] == want {
			return fields[0]
		}
	}
	return want
}
