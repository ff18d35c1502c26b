package localpasskey_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNamesItsTests: each guarantee of SECURITY.md, and each attack, names at least one
// test, and every test it names exists.
func TestSecurityNamesItsTests(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range unheld(string(page), tests(t)) {
		t.Error(problem)
	}
}

// tests are all tests of the module, by name.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	existing := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for name, source := range read(t, os.DirFS(".")) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, match := range declared.FindAllSubmatch(source, -1) {
			existing[string(match[1])] = true
		}
	}
	return existing
}

// TestSecuritySeesViolations: the check fails where it should.
func TestSecuritySeesViolations(t *testing.T) {
	existing := map[string]bool{"TestThere": true}
	if found := unheld("| G1 | this | that | `TestThere` |", existing); len(found) != 0 {
		t.Errorf("a guarantee that is held: %v", found)
	}
	for _, row := range []string{"| G1 | this | that | `TestGone` |", "| G1 | this | that | reading the code |", "no guarantee at all"} {
		if len(unheld(row, existing)) == 0 {
			t.Errorf("%q passes", row)
		}
	}
}

// unheld names guarantees without a test, and tests that there are not.
func unheld(page string, existing map[string]bool) (problems []string) {
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	rows := regexp.MustCompile(`(?m)^\| ([A-Z]+\d+) \|.*$`).FindAllStringSubmatch(page, -1)
	if len(rows) == 0 {
		return []string{"SECURITY.md lists no guarantee"}
	}
	for _, row := range rows {
		tests := named.FindAllStringSubmatch(row[0], -1)
		if len(tests) == 0 {
			problems = append(problems, row[1]+" names no test")
		}
		for _, test := range tests {
			if !existing[test[1]] {
				problems = append(problems, row[1]+" names "+test[1]+", which does not exist")
			}
		}
	}
	return problems
}
