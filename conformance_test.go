package localpasskey_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/extension"
)

// claims is what docs/conformance.md is held against.
type claims struct {
	tests []string // names of tests
	parts []string // names of the contract's parts
	info  []string // options and extensions that getInfo lists
}

// TestConformanceNamesItsTests: each row of docs/conformance.md names tests that exist,
// or says why an item is left out, and nothing that getInfo lists is without a row.
func TestConformanceNamesItsTests(t *testing.T) {
	page, err := os.ReadFile("docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	c := claims{info: extension.Supported()}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	part := regexp.MustCompile(`"([a-z][a-z0-9 ,-]*)": +check`)
	option := regexp.MustCompile(`(?m)^\t\t"(\w+)": |\bo\["(\w+)"\]`)
	for name, source := range read(t, os.DirFS(".")) {
		switch {
		case strings.HasSuffix(name, "_test.go"):
			c.tests = append(c.tests, second(declared, source)...)
		case under(name, "internal/ctaptest"):
			c.parts = append(c.parts, second(part, source)...)
		case name == "internal/authenticator/info.go":
			c.info = append(c.info, second(option, source)...)
		}
	}
	if len(c.parts) < 20 || len(c.info) < 15 {
		t.Fatalf("found %d parts of the contract, %d claims of getInfo", len(c.parts), len(c.info))
	}
	for _, problem := range unshown(string(page), c) {
		t.Error(problem)
	}
}

// second gives what the expression's groups match.
func second(e *regexp.Regexp, source []byte) (all []string) {
	for _, match := range e.FindAllSubmatch(source, -1) {
		for _, group := range match[1:] {
			if len(group) > 0 {
				all = append(all, string(group))
			}
		}
	}
	return all
}

// unshown names rows without proof or reason, proofs that there are not, and claims
// without a row.
func unshown(page string, c claims) (problems []string) {
	rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([0-9.]+) \| (in|left out) \| ([^|]*) \|$`).FindAllStringSubmatch(page, -1)
	items := regexp.MustCompile(`(?m)^\| (.*)$`).FindAllString(page, -1)
	heads := strings.Count(page, "| item | section | state | shown by |")
	if len(rows) != len(items)-heads || len(rows) == 0 {
		problems = append(problems, fmt.Sprintf("%d of %d rows have the form of a row", len(rows), len(items)-heads))
	}
	shown := map[string]bool{}
	proof := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`(?: \\(([^)]*)\\))?")
	for _, row := range rows {
		item, state, why := row[1], row[3], row[4]
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(item, -1) {
			shown[name[1]] = state == "in"
		}
		proofs := proof.FindAllStringSubmatch(why, -1)
		switch {
		case state == "in" && len(proofs) == 0:
			problems = append(problems, item+" names no test")
		case state != "in" && strings.TrimSpace(why) == "":
			problems = append(problems, item+" is left out for no reason")
		}
		for _, p := range proofs {
			problems = append(problems, missing(item, p[1], p[2], c)...)
		}
	}
	for _, claim := range c.info {
		if !shown[claim] {
			problems = append(problems, "getInfo lists "+claim+", which has no row that says it is in")
		}
	}
	return problems
}

// missing names the test, and the contract's parts, that there are not.
func missing(item, test, parts string, c claims) (problems []string) {
	if !slices.Contains(c.tests, test) {
		problems = append(problems, item+" names "+test+", which does not exist")
	}
	for part := range strings.SplitSeq(parts, ", ") {
		if part != "" && !slices.Contains(c.parts, part) {
			problems = append(problems, item+" names "+part+", which is no part of the contract")
		}
	}
	return problems
}

// TestConformanceSeesViolations: the check fails where it should.
func TestConformanceSeesViolations(t *testing.T) {
	const head = "| item | section | state | shown by |\n|---|---|---|---|\n"
	c := claims{tests: []string{"TestThere"}, parts: []string{"info"}, info: []string{"rk"}}
	right := head + "| `rk` | 6.4 | in | `TestThere` (info) |\n| other | 6.4 | left out | because |\n"
	if found := unshown(right, c); len(found) != 0 {
		t.Errorf("a page that is right: %v", found)
	}
	for name, change := range map[string][2]string{
		"a test that is gone":   {"TestThere", "TestGone"},
		"a part that is gone":   {"(info)", "(nowhere)"},
		"no test":               {"`TestThere` (info)", "reading the code"},
		"no reason":             {"because", " "},
		"an option without row": {"`rk`", "`up`"},
		"an option left out":    {"| in | `TestThere` (info)", "| left out | `TestThere` (info)"},
		"a state of no name":    {"| in |", "| perhaps |"},
	} {
		if len(unshown(strings.Replace(right, change[0], change[1], 1), c)) == 0 {
			t.Errorf("%s passes", name)
		}
	}
}
