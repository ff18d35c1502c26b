package manager

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestMenuEntry holds that the desktop's menu starts this page, with this page's icon.
func TestMenuEntry(t *testing.T) {
	t.Parallel()
	const dir = "../../packaging/linux/"
	installed, err := os.ReadFile(dir + "localpasskey.svg")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := page.ReadFile("page/icon.svg")
	if err != nil || !bytes.Equal(installed, ours) {
		t.Errorf("the menu has another icon than the page, %v", err)
	}
	entry, err := os.ReadFile(dir + "localpasskey.desktop")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[Desktop Entry]\n", "\nExec=localpasskey manage\n", "\nIcon=localpasskey\n", "\nTerminal=false\n"} {
		if !strings.Contains(string(entry), want) {
			t.Errorf("the menu entry lacks %q", want)
		}
	}
}
