package localpasskey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Ours: what a person can hold in mind at one sitting.
const (
	maxFileLines    = 500
	maxPackageLines = 1500 // without tests
	maxMainLines    = 100
)

// hosts are the registries that modules and packages come from here and there.
// A file that names one breaks for whoever builds from a mirror or offline. They
// are spelt in pieces, or this file would name them.
func hosts() []string {
	var all []string
	for _, h := range [][]string{
		{"proxy", "golang", "org"},
		{"sum", "golang", "org"},
		{"registry", "npmjs", "org"},
		{"registry", "yarnpkg", "com"},
		{"deb", "debian", "org"},
		{"static", "crates", "io"},
		{"files", "pythonhosted", "org"},
	} {
		all = append(all, strings.Join(h, "."))
	}
	return all
}

// checkSizes measures Go, JavaScript and shell files, packages and main functions.
func checkSizes(files map[string][]byte) []string {
	var wrong []string
	packages := map[string]int{}
	for name, content := range sorted(files) {
		if !slices.Contains([]string{".go", ".js", ".sh"}, path.Ext(name)) {
			continue
		}
		lines := bytes.Count(content, []byte("\n"))
		if lines > maxFileLines {
			wrong = append(wrong, fmt.Sprintf("%s: %d lines, at most %d; hint: what second thing is in it?", name, lines, maxFileLines))
		}
		if path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") {
			packages[path.Dir(name)] += lines
		}
		if under(name, "cmd") && path.Base(name) == "main.go" {
			wrong = append(wrong, checkMain(name, content)...)
		}
	}
	for dir, lines := range sorted(packages) {
		if lines > maxPackageLines {
			wrong = append(wrong, fmt.Sprintf("%s: %d lines without tests, at most %d; hint: split it along its doc's verbs", dir, lines, maxPackageLines))
		}
	}
	return wrong
}

// checkMain measures func main, which may be longer than others but only connects.
func checkMain(name string, content []byte) []string {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, content, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != "main" {
			continue
		}
		if lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line - 1; lines > maxMainLines {
			return []string{fmt.Sprintf("%s: main has %d lines, at most %d; hint: it only constructs and connects", name, lines, maxMainLines)}
		}
	}
	return nil
}

// checkHosts looks for the names of registries.
func checkHosts(files map[string][]byte) []string {
	var wrong []string
	for name, content := range sorted(files) {
		for _, h := range hosts() {
			if bytes.Contains(content, []byte(h)) {
				wrong = append(wrong, fmt.Sprintf("%s names %s; hint: leave it to the machine's own configuration", name, h))
			}
		}
	}
	return wrong
}

// dependencies is what DEPENDENCIES.md is held against.
type dependencies struct {
	paper    string   // DEPENDENCIES.md
	required []string // module paths in go.mod
	imported []string // import paths that are not ours, tests included
	tools    []string // package paths of the tools in tools/*.mod
}

// checkDependencies wants a line for each module we import and for each tool, and
// none for what is gone.
func checkDependencies(d dependencies) []string {
	var wrong []string
	listed := map[string]bool{}
	section := ""
	row := regexp.MustCompile("^\\| `([^`]+)` \\|(.*)\\|$")
	for line := range strings.Lines(d.paper) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		listed[m[1]] = true
		known := d.required
		if section == "Tools" {
			known = d.tools
		}
		if !slices.Contains(known, m[1]) {
			wrong = append(wrong, "DEPENDENCIES.md: "+m[1]+" is not required any more; hint: remove its line")
		}
		for cell := range strings.SplitSeq(m[2], "|") {
			if strings.TrimSpace(cell) == "" {
				wrong = append(wrong, "DEPENDENCIES.md: "+m[1]+" has an empty cell")
			}
		}
	}
	var needed []string
	for _, imp := range d.imported {
		if m := moduleOf(imp, d.required); m != "" && !slices.Contains(needed, m) {
			needed = append(needed, m)
		}
	}
	for _, m := range slices.Concat(needed, d.tools) {
		if !listed[m] {
			wrong = append(wrong, "DEPENDENCIES.md: no line for "+m+"; hint: say what for, why not our own, and the licence")
		}
	}
	return wrong
}

// moduleOf returns the longest module path that imp is in, or "".
func moduleOf(imp string, modules []string) string {
	best := ""
	for _, m := range modules {
		if under(imp, m) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

func TestTree(t *testing.T) {
	t.Parallel()
	files := read(t, os.DirFS("."))
	for name, check := range map[string]func(map[string][]byte) []string{
		"sizes": checkSizes, "hosts": checkHosts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, w := range check(files) {
				t.Error(w)
			}
		})
	}
}

func TestTreeSeesViolations(t *testing.T) {
	t.Parallel()
	long := func(lines int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Repeat("// x\n", lines))}
	}
	program := func(lines int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package main\n\nfunc main() {\n" + strings.Repeat("\tprintln()\n", lines) + "}\n")}
	}
	named := &fstest.MapFile{Data: []byte("GOPROXY=https://" + hosts()[0] + ",direct\n")}
	cases := map[string]struct {
		tree fstest.MapFS
		want []string // how each complaint begins
	}{
		"nothing wrong": {fstest.MapFS{
			"internal/a/a.go": long(500), "internal/a/b.go": long(500), "internal/a/c.go": long(500),
			"internal/a/a_test.go": long(500), "README.md": long(900), "cmd/p/main.go": program(100),
		}, nil},
		"long file":       {fstest.MapFS{"internal/a/a.go": long(501)}, []string{"internal/a/a.go: 501 lines"}},
		"long test":       {fstest.MapFS{"internal/a/a_test.go": long(501)}, []string{"internal/a/a_test.go: 501 lines"}},
		"long script":     {fstest.MapFS{"extension/x.js": long(501)}, []string{"extension/x.js: 501 lines"}},
		"long main":       {fstest.MapFS{"cmd/p/main.go": program(101)}, []string{"cmd/p/main.go: main has 101 lines"}},
		"large package":   {fstest.MapFS{"a/1.go": long(500), "a/2.go": long(500), "a/3.go": long(500), "a/4.go": long(1)}, []string{"a: 1501 lines"}},
		"a registry":      {fstest.MapFS{".ci/run": named}, []string{".ci/run names "}},
		"built or hidden": {fstest.MapFS{"bin/x.go": long(501), ".git/config": named, "extension/node_modules/x.js": long(501)}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := read(t, c.tree)
			found := slices.Concat(checkSizes(files), checkHosts(files))
			if len(found) != len(c.want) {
				t.Fatalf("found %q, want %d", found, len(c.want))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(found[i], want) {
					t.Errorf("complaint %q does not begin %q", found[i], want)
				}
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	paper, err := os.ReadFile("DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	d := dependencies{paper: string(paper)}
	for _, r := range readMod(t, "go.mod").Require {
		d.required = append(d.required, r.Path)
	}
	for _, mod := range []string{"tools/go.mod", "tools/packaging.mod"} {
		tools := readMod(t, mod).Tool
		if len(tools) == 0 {
			t.Fatalf("read no tools in %s", mod)
		}
		for _, tool := range tools {
			d.tools = append(d.tools, tool.Path)
		}
	}
	for _, n := range sorted(load(t)) {
		for _, imp := range slices.Concat(n.imports, n.tests) {
			if isOther(imp) {
				d.imported = append(d.imported, imp)
			}
		}
	}
	if len(d.required) == 0 || len(d.tools) == 0 || len(d.imported) == 0 {
		t.Fatalf("read %d modules, %d tools and %d imports; none may be none", len(d.required), len(d.tools), len(d.imported))
	}
	for _, w := range checkDependencies(d) {
		t.Error(w)
	}
}

func TestDependenciesSeesViolations(t *testing.T) {
	t.Parallel()
	right := dependencies{
		paper: "## Shipped\n| Module | For |\n|---|---|\n| `a.org/m/v2` | x |\n## Tools\n| `b.org/tool/cmd/t` | y |\n",
		// c.org/n is there because a.org/m wants it: no line needed.
		required: []string{"a.org/m/v2", "c.org/n"},
		imported: []string{"a.org/m/v2/sub"},
		tools:    []string{"b.org/tool/cmd/t"},
	}
	cases := map[string]struct {
		breakIt func(*dependencies)
		want    string // "" for no complaint
	}{
		"right":                {func(*dependencies) {}, ""},
		"imported, not listed": {func(d *dependencies) { d.imported = append(d.imported, "c.org/n/x") }, "no line for c.org/n"},
		"listed, gone":         {func(d *dependencies) { d.required = d.required[1:]; d.imported = nil }, "a.org/m/v2 is not required"},
		"tool, not listed":     {func(d *dependencies) { d.tools = append(d.tools, "b.org/other") }, "no line for b.org/other"},
		"tool gone": {func(d *dependencies) {
			d.tools = nil
			d.required = append(d.required, "b.org/tool/cmd/t")
		}, "b.org/tool/cmd/t is not required"},
		"nothing said": {func(d *dependencies) { d.paper = strings.Replace(d.paper, "| x |", "| |", 1) }, "empty cell"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := right
			d.required, d.imported, d.tools = slices.Clone(d.required), slices.Clone(d.imported), slices.Clone(d.tools)
			c.breakIt(&d)
			found := checkDependencies(d)
			switch {
			case c.want == "" && len(found) != 0:
				t.Errorf("complains of what is right: %q", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0], c.want)):
				t.Errorf("found %q, want one with %q", found, c.want)
			}
		})
	}
}

// goMod is what `go mod edit -json` tells of a go.mod file.
type goMod struct {
	Require []struct{ Path string }
	Tool    []struct{ Path string }
}

func readMod(t *testing.T, name string) goMod {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", name).Output()
	if err != nil {
		t.Fatalf("go mod edit -json %s: %v", name, err)
	}
	var m goMod
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// read returns the files of a tree by name, without what is built, fetched or git's.
func read(t *testing.T, tree fs.FS) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "node_modules"}, entry.Name()) || name == "bin" || name == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		files[name] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
