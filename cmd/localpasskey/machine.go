package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/localpasskey/localpasskey/internal/doctor"
)

// thisMachine is what `localpasskey doctor` examines. What the environment names is looked
// at and never trusted.
func thisMachine() doctor.Machine {
	m := doctor.Machine{
		Root:    string(filepath.Separator),
		UID:     os.Getuid(),
		Home:    os.Getenv("HOME"),
		Path:    filepath.SplitList(os.Getenv("PATH")),
		Display: os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "",
		Now:     time.Now(),
	}
	// What cannot be told is left empty, and then not looked at.
	m.Groups, _ = os.Getgroups()
	m.Program, _ = os.Executable()
	return m
}
