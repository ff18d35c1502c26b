package localpasskey_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unfuzzed are packages whose decoders need no fuzz target of their own, and why.
func unfuzzed() map[string]string {
	return map[string]string{
		"internal/cli/prove": "it hands files to proof.Decode, whose package is fuzzed",
		"internal/doctor":    "it hands files to browsers.ReadManifest, whose package is fuzzed",
		"internal/store":     "it opens what is sealed, and hands that to record, whose package is fuzzed",
		"internal/extension": "it takes what cbor has decoded; FuzzRequests sends it through a whole authenticator",
	}
}

// decoders finds, by package, the functions that are named as decoders are and take bytes
// or text; and which packages have a fuzz target.
func decoders(t *testing.T) (found map[string][]string, fuzzed map[string]bool) {
	t.Helper()
	found, fuzzed = map[string][]string{}, map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".go" || !under(file, "internal") && !under(file, "cmd") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(file, "_test.go")
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			switch {
			case !ok:
			case test && strings.HasPrefix(f.Name.Name, "Fuzz"):
				fuzzed[path.Dir(file)] = true
			case test:
			case decodes(f):
				found[path.Dir(file)] = append(found[path.Dir(file)], f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, fuzzed
}

// decodes tells by name and parameters whether f makes something of bytes.
func decodes(f *ast.FuncDecl) bool {
	named := regexp.MustCompile(`^(?i:decode|parse|unmarshal|read|split|scan)`).MatchString(f.Name.Name)
	return named && slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		switch kind := p.Type.(type) {
		case *ast.ArrayType:
			element, ok := kind.Elt.(*ast.Ident)
			return ok && kind.Len == nil && element.Name == "byte"
		case *ast.Ident:
			return kind.Name == "string"
		case *ast.SelectorExpr:
			return slices.Contains([]string{"Reader", "Raw", "RawMessage"}, kind.Sel.Name)
		default:
			return false
		}
	})
}

// TestDecodersAreFuzzed: who makes something of bytes that others have made is fuzzed, or
// stands in the table above.
func TestDecodersAreFuzzed(t *testing.T) {
	t.Parallel()
	found, fuzzed := decoders(t)
	kits := append(testKits(), "internal/demo", "internal/swtpm")
	for dir, names := range sorted(found) {
		if slices.ContainsFunc(kits, func(kit string) bool { return under(dir, kit) }) {
			continue
		}
		switch reason := unfuzzed()[dir]; {
		case fuzzed[dir] && reason != "":
			t.Errorf("%s has a fuzz target: take it out of the table of reasons", dir)
		case !fuzzed[dir] && reason == "":
			t.Errorf("%s decodes (%s) and has no fuzz target; hint: write one, or say in fuzz_test.go why not", dir, strings.Join(names, ", "))
		}
	}
	for dir := range sorted(unfuzzed()) {
		if len(found[dir]) == 0 {
			t.Errorf("%s decodes nothing: take it out of the table of reasons", dir)
		}
	}
	if len(fuzzed) < 20 {
		t.Errorf("only %s have fuzz targets", fmt.Sprint(fuzzed))
	}
}
