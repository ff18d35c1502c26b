package doctor

import (
	"path/filepath"
	"strings"
)

// pinentry looks for the program whose dialogs ask the person.
func (m Machine) pinentry() Finding {
	const check = "pinentry"
	const install = "install one: sudo apt install pinentry-gnome3 (or pinentry-qt); elsewhere the package may be called pinentry"
	path := m.program("pinentry", "pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-curses", "pinentry-tty")
	if path == "" {
		return wrong(check, "there is no pinentry program, so you are asked on a terminal alone", install)
	}
	flavour := m.resolve(path)
	text := path
	if flavour != path {
		text += ", which is " + flavour
	}
	if name := filepath.Base(flavour); m.Display && (strings.HasSuffix(name, "curses") || strings.HasSuffix(name, "tty")) {
		return wrong(check, text+": it asks on a terminal, which you do not see while you look at a browser", install)
	}
	return ok(check, text)
}
