package system

import (
	"os"
	"path/filepath"
	"strconv"
)

// LoggedIn tells whether systemd-logind knows a user: dir is "/run/systemd/users", which
// has a file for each who is logged in (sd_uid_get_state(3) reads the same).
func LoggedIn(dir string) func(uid int) bool {
	return func(uid int) bool {
		_, err := os.Stat(filepath.Join(dir, strconv.Itoa(uid)))
		return err == nil
	}
}
