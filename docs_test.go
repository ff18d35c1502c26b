package localpasskey_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDocsNameTests: what other pages say was tried is a test that exists.
func TestDocsNameTests(t *testing.T) {
	t.Parallel()
	exists := tests(t)
	for page, least := range map[string]int{"docs/attack.md": 8, "docs/extension.md": 3, "docs/bench.md": 2, "docs/faults.md": 8, "docs/macos.md": 30, "SECURITY.md": 100} {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`").FindAllStringSubmatch(string(content), -1)
		if len(found) < least {
			t.Errorf("%s names %d tests", page, len(found))
		}
		for _, name := range found {
			if !exists[name[1]] {
				t.Errorf("%s names %s, which does not exist", page, name[1])
			}
		}
	}
	rows := 0
	content, err := os.ReadFile("docs/attack.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if regexp.MustCompile(`^\| \d+\. `).MatchString(line) {
			rows++
			if !strings.Contains(line, "`Test") {
				t.Errorf("a step without a test: %s", line)
			}
		}
	}
	if rows < 8 {
		t.Errorf("docs/attack.md has %d steps", rows)
	}
}

// TestReadingList: the files that ARCHITECTURE.md has a reader begin with are there, and are
// as long as it says.
func TestReadingList(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	promise := regexp.MustCompile(`Read these five files, (\d+) lines`).FindSubmatch(page)
	if promise == nil {
		t.Fatal("ARCHITECTURE.md has no reading list")
	}
	files := regexp.MustCompile("(?m)^\\d\\. `([a-z/_]+\\.go)`").FindAllSubmatch(page, -1)
	lines := 0
	for _, file := range files {
		content, err := os.ReadFile(string(file[1]))
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(content, []byte("\n"))
	}
	if said, err := strconv.Atoi(string(promise[1])); err != nil || said != lines || len(files) != 5 {
		t.Errorf("ARCHITECTURE.md says %s lines; %d files have %d", promise[1], len(files), lines)
	}
}
