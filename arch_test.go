// Package localpasskey_test keeps the rules that the compiler does not: who may
// know whom, what a shipped program may contain, how long a file may get.
//
//	cmd, daemon ──► doors   ──┐
//	     │                    ├──► ctap ──► words
//	     └────────► machine ──┴─► authenticator ──► ctap
//
// A rule that fails says what to do. A rule that stands in the way is changed
// here, in the table, where a reviewer sees it: never worked round.
package localpasskey_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// node is one package of ours, over every system it is built for.
type node struct {
	name    string              // package name
	doc     string              // first sentence of the package's doc
	test    bool                // nothing but test files
	imports []string            // ours relative to the module, others in full
	tests   []string            // what its tests import
	deps    map[string][]string // of a program: all that is linked, by system
}

// graph is the module: packages by directory.
type graph map[string]*node

// checkImports holds every package to its row.
func checkImports(g graph) []string {
	var wrong []string
	rows := table()
	for dir, n := range sorted(g) {
		if under(dir, "test") || n.test {
			continue
		}
		key := rowFor(rows, dir)
		if key == "" {
			wrong = append(wrong, dir+": has no row in the table of archtable_test.go; hint: give it one that says what it may know")
			continue
		}
		for _, imp := range n.imports {
			if !permits(rows[key], key, imp) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which its row in archtable_test.go does not allow; "+
					"hint: declare the interface it needs and let cmd or daemon connect the two", dir, imp))
			}
		}
	}
	return wrong
}

// permits reports whether a package under the row called key may import imp.
func permits(r row, key, imp string) bool {
	below := under(imp, key) && key != "cmd" && !slices.Contains(testKits(), imp)
	if isStandard(imp) || below {
		return true
	}
	return slices.ContainsFunc(slices.Concat(r.ours, r.others), func(allowed string) bool {
		return imp == allowed || (under(imp, allowed) && !slices.Contains(testKits(), imp))
	})
}

// checkPrograms looks at everything a program links, on each system.
func checkPrograms(g graph) []string {
	var wrong []string
	for dir, n := range sorted(g) {
		if !under(dir, "cmd") {
			continue
		}
		banned := slices.Concat(testKits(), []string{"test", "testing", "net/http/httptest", "net/http/pprof"})
		if dir != demoProgram {
			banned = append(banned, "internal/demo", "internal/swtpm", modWebAuthn)
		}
		if dir == extensionProgram {
			banned = append(banned, "net/http", modBolt, modTPM)
		}
		for goos, deps := range sorted(n.deps) {
			for _, dep := range deps {
				if slices.ContainsFunc(banned, func(b string) bool { return under(dep, b) }) {
					wrong = append(wrong, fmt.Sprintf("%s links %s on %s; hint: go list -deps finds the way in", dir, dep, goos))
				}
			}
		}
	}
	return wrong
}

// checkDocs wants each package to say what it provides, in one verb.
func checkDocs(g graph) []string {
	var wrong []string
	for dir, n := range sorted(g) {
		want := "Package " + n.name + " "
		if n.name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if !n.test && !strings.HasPrefix(n.doc, want) {
			wrong = append(wrong, fmt.Sprintf("%s: its doc must begin %q; it begins %q", dir, want, n.doc))
		}
	}
	return wrong
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	g := load(t)
	for name, check := range map[string]func(graph) []string{
		"imports": checkImports, "programs": checkPrograms, "docs": checkDocs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, w := range check(g) {
				t.Error(w)
			}
		})
	}
}

// The rules must see what they are for: each case turns one arrow round in a
// graph that is right, and names the two ends that must be complained of.
func TestArchitectureSeesViolations(t *testing.T) {
	t.Parallel()
	add := func(dir, imp string) func(graph) {
		return func(g graph) { g[dir].imports = append(g[dir].imports, imp) }
	}
	link := func(dir, goos, dep string) func(graph) {
		return func(g graph) { g[dir].deps[goos] = append(g[dir].deps[goos], dep) }
	}
	cases := map[string]struct {
		breakIt func(graph)
		names   []string
	}{
		"a door knows the machine":    {add("internal/uhid", "internal/tpm"), []string{"internal/uhid", "internal/tpm"}},
		"a door knows the decision":   {add("internal/socket", "internal/authenticator"), []string{"internal/socket", "internal/authenticator"}},
		"a door knows another":        {add("internal/uhid", "internal/socket"), []string{"internal/uhid", "internal/socket"}},
		"the machine knows a door":    {add("internal/tpm", "internal/uhid"), []string{"internal/tpm", "internal/uhid"}},
		"the machine knows itself":    {add("internal/store", "internal/tpm"), []string{"internal/store", "internal/tpm"}},
		"the decision knows the disk": {add("internal/authenticator", "internal/store"), []string{"internal/authenticator", "internal/store"}},
		"ctap knows the decision":     {add("internal/ctap", "internal/authenticator"), []string{"internal/ctap", "internal/authenticator"}},
		"a word knows ctap":           {add("internal/pinuv", "internal/ctap"), []string{"internal/pinuv", "internal/ctap"}},
		"a word imports a module":     {add("internal/secret", modSys+"/unix"), []string{"internal/secret", modSys}},
		"the decision a module":       {add("internal/authenticator", modBolt), []string{"internal/authenticator", modBolt}},
		"a program's own, the TPM":    {add("internal/cli", "internal/tpm"), []string{"internal/cli", "internal/tpm"}},
		"a program, another":          {add("cmd/localpasskey", "cmd/localpasskey-demo/x"), []string{"cmd/localpasskey", "cmd/localpasskey-demo/x"}},
		"product code, a test kit":    {add("internal/daemon", "internal/keystest"), []string{"internal/daemon", "internal/keystest"}},
		"a kit below its package":     {add("internal/prompt", "internal/prompt/ptytest"), []string{"internal/prompt", "ptytest"}},
		"product code, a fake TPM":    {add("internal/daemon", "internal/swtpm"), []string{"internal/daemon", "internal/swtpm"}},
		"a name that is nearly right": {add("internal/socket", "internal/ctapx"), []string{"internal/socket", "internal/ctapx"}},
		"a package nobody listed":     {func(g graph) { g["internal/util"] = &node{name: "util", doc: "Package util is."} }, []string{"internal/util", "no row"}},
		"no doc":                      {func(g graph) { g["internal/uhid"].doc = "" }, []string{"internal/uhid", "Package uhid"}},
		"a program without a doc":     {func(g graph) { g["cmd/localpasskey"].doc = "Package main is." }, []string{"Command localpasskey"}},
		"shipped with a relying party": {
			link("cmd/localpasskey", "linux", modWebAuthn+"/protocol"), []string{"cmd/localpasskey", modWebAuthn, "linux"},
		},
		"shipped with a software TPM": {link("cmd/localpasskey", "darwin", "internal/swtpm"), []string{"internal/swtpm", "darwin"}},
		"shipped with the demo":       {link("cmd/localpasskey", "linux", "internal/demo"), []string{"internal/demo"}},
		"shipped with testing":        {link("cmd/localpasskey", "linux", "testing"), []string{"links testing"}},
		"the extension with a server": {link(extensionProgram, "darwin", "net/http"), []string{extensionProgram, "net/http"}},
		"the demo with a test kit":    {link(demoProgram, "linux", "internal/ctaptest"), []string{demoProgram, "internal/ctaptest"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := rightGraph()
			c.breakIt(g)
			found := slices.Concat(checkImports(g), checkPrograms(g), checkDocs(g))
			if len(found) != 1 {
				t.Fatalf("found %d violations, want 1: %q", len(found), found)
			}
			for _, want := range c.names {
				if !strings.Contains(found[0], want) {
					t.Errorf("complaint %q does not name %q", found[0], want)
				}
			}
		})
	}
	if found := slices.Concat(checkImports(rightGraph()), checkPrograms(rightGraph()), checkDocs(rightGraph())); len(found) != 0 {
		t.Errorf("complains of a graph that is right: %q", found)
	}
}

// rightGraph is a small module that keeps every rule.
func rightGraph() graph {
	g := graph{}
	for dir, imports := range map[string][]string{
		"internal/secret":        {"crypto/subtle"},
		"internal/cbor":          {modCBOR},
		"internal/pinuv":         {"internal/secret"},
		"internal/ctap":          {"internal/cbor", "internal/pinuv"},
		"internal/authenticator": {"internal/ctap", "internal/authenticator/sub"},
		"internal/uhid":          {"internal/ctap", modSys + "/unix"},
		"internal/socket":        {"internal/ctap"},
		"internal/tpm":           {"internal/authenticator", modTPM + "/tpm2"},
		"internal/store":         {"internal/authenticator", modBolt},
		"internal/cli":           {"internal/socket", modCobra},
		"internal/prompt":        {"internal/authenticator"},
		"internal/daemon":        {"internal/tpm", "internal/store", "internal/uhid"},
		"internal/demo":          {"internal/swtpm", modWebAuthn + "/protocol"},
		"internal/keystest":      {"internal/authenticator", "testing"},
		"cmd/localpasskey":       {"internal/cli", "internal/daemon"},
		extensionProgram:         {"internal/macos"},
		demoProgram:              {"internal/demo", "internal/daemon"},
		"test/bench":             {"internal/keystest", "internal/swtpm"},
	} {
		n := &node{name: path.Base(dir), imports: imports, deps: map[string][]string{}}
		n.doc = "Package " + n.name + " keeps the rules."
		if under(dir, "cmd") || under(dir, "test") {
			n.name, n.doc = "main", "Command "+n.name+" keeps the rules."
		}
		g[dir] = n
	}
	g[demoProgram].deps["linux"] = []string{modWebAuthn + "/protocol", "internal/swtpm", "internal/demo"}
	g["cmd/localpasskey"].deps["linux"] = []string{"internal/cli", modBolt, "net/http"}
	return g
}

// load asks the go command for the module as Linux and as macOS see it.
func load(t *testing.T) graph {
	t.Helper()
	g := graph{}
	for _, goos := range []string{"linux", "darwin"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-tags=e2e",
			"-json=ImportPath,Name,Doc,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=arm64", "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v", goos, err)
		}
		g.add(t, goos, string(out))
	}
	if len(g) < 2 {
		t.Fatalf("go list knows only %d packages", len(g))
	}
	return g
}

// add merges what go list printed for one system.
func (g graph) add(t *testing.T, goos, listed string) {
	t.Helper()
	for dec := json.NewDecoder(strings.NewReader(listed)); ; {
		var p struct {
			ImportPath, Name, Doc                             string
			GoFiles, Imports, TestImports, XTestImports, Deps []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("go list for %s: %v", goos, err)
		}
		dir := relative(p.ImportPath)
		n := g[dir]
		if n == nil {
			n = &node{test: true, deps: map[string][]string{}}
			g[dir] = n
		}
		if len(p.GoFiles) > 0 {
			n.test = false
			n.name = p.Name
		}
		if n.doc == "" {
			n.doc = p.Doc
		}
		n.imports = merge(n.imports, p.Imports)
		n.tests = merge(n.tests, slices.Concat(p.TestImports, p.XTestImports))
		if p.Name == "main" {
			n.deps[goos] = merge(nil, p.Deps)
		}
	}
}

// merge returns the union of have and the import paths of more, made relative.
func merge(have, more []string) []string {
	for _, p := range more {
		have = append(have, relative(p))
	}
	slices.Sort(have)
	return slices.Compact(have)
}

// relative cuts the module's path off a package of ours.
func relative(importPath string) string {
	if importPath == modulePath {
		return "."
	}
	return strings.TrimPrefix(importPath, modulePath+"/")
}

// rowFor returns the key of the closest row at or above dir, or "".
func rowFor(rows map[string]row, dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := rows[dir]; ok {
			return dir
		}
	}
	return ""
}

// under reports whether an import path or directory is parent or below it.
func under(p, parent string) bool {
	return p == parent || strings.HasPrefix(p, parent+"/")
}

// isOther reports whether an import path is of somebody else's module: its first
// element is a host's name.
func isOther(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return strings.Contains(first, ".")
}

// isStandard reports whether an import path is of the standard library.
func isStandard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !isOther(p) && !slices.Contains([]string{"internal", "cmd", "test"}, first)
}

func join(base []string, more ...string) []string {
	return slices.Concat(base, more)
}

// sorted ranges over a map in the order of its keys, so that failures read alike.
func sorted[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
