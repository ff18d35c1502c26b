package macos

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestSDK holds every declaration against the SDK's facts. It proves that a name
// exists with that type; what it does is another matter (docs/macos-checklist.md).
func TestSDK(t *testing.T) {
	t.Parallel()
	all := readFacts(t)
	checked := map[Kind]int{}
	for _, e := range Entries() {
		if why := all.wrong(e); why != "" {
			t.Errorf("%s %s (%s): %s", e.Kind, e, e.Field, why)
		}
		checked[e.Kind]++
	}
	t.Logf("checked %d entries: %v", len(Entries()), checked)
	for _, kind := range []Kind{KindFunction, KindConstant, KindAddress, KindMessage, KindOverride, KindAction, KindClass, KindEnum} {
		if checked[kind] == 0 {
			t.Errorf("no %s was checked", kind)
		}
	}
}

// TestEnumsAreAll: a constant that is not in the map would be checked by nobody.
func TestEnumsAreAll(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "enums.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := Enums()
	seen := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name == "TokenOID" {
			return true
		}
		for _, name := range spec.Names {
			seen++
			lower := string(unicode.ToLower(rune(name.Name[0]))) + name.Name[1:]
			_, asIs := listed[name.Name]
			if _, small := listed[lower]; !asIs && !small {
				t.Errorf("%s is not in Enums", name.Name)
			}
		}
		return true
	})
	if seen != len(listed) {
		t.Errorf("%d constants, %d in Enums", seen, len(listed))
	}
}

// TestStrings holds the literals that stand for symbols against their values.
func TestStrings(t *testing.T) {
	t.Parallel()
	all := readFacts(t)
	for name, ours := range map[string]string{"kSecAttrTokenOID": TokenOID, "kLAErrorDomain": DomainLocalAuthentication} {
		f, ok := all.find("", name, "constant")
		if value, _ := f.note("val"); !ok || value != ours {
			t.Errorf("%s is %q, ours is %q", name, value, ours)
		}
	}
	if _, ok := all.find("", DomainOSStatus, "constant"); !ok {
		t.Errorf("no symbol %s", DomainOSStatus)
	}
}

// TestMutations: the check must see each mistake that a declaration can have. Every
// entry is broken in every way that fits it, one at a time.
func TestMutations(t *testing.T) {
	t.Parallel()
	all := readFacts(t)
	made := map[string]int{}
	for _, e := range Entries() {
		for name, broken := range mutations(e) {
			made[strings.Fields(name)[0]]++
			if all.wrong(broken) == "" {
				t.Errorf("%s %s: nobody saw this: %s", e.Kind, e, name)
			}
		}
	}
	total := 0
	for _, n := range made {
		total += n
	}
	t.Logf("%d mutations, by kind: %v", total, made)
	for _, kind := range []string{"name", "owner", "level", "framework", "since", "value", "argument", "result", "missing", "additional"} {
		if made[kind] == 0 {
			t.Errorf("no mutation of kind %s was made", kind)
		}
	}
}

// TestFactMutations: the other way round, a fact that turns out otherwise is seen.
func TestFactMutations(t *testing.T) {
	t.Parallel()
	all := readFacts(t)
	seen := 0
	for i, f := range all {
		if !slices.Contains([]string{"function", "class-method", "instance-method", "protocol-method"}, f.kind) {
			continue
		}
		for name, change := range map[string]func(*fact){
			"came later":  func(f *fact) { f.introduced, f.notes = "99.0", nil },
			"unavailable": func(f *fact) { f.introduced = "unavailable" },
			"variadic":    func(f *fact) { f.notes = append(slices.Clone(f.notes), "variadic") },
			"not to send": func(f *fact) { f.notes = append(slices.Clone(f.notes), "ns-unavailable") },
		} {
			changed := slices.Clone(all)
			change(&changed[i])
			if !slices.ContainsFunc(Entries(), func(e Entry) bool { return changed.wrong(e) != "" }) {
				t.Errorf("%s %s %s: nobody saw that it is otherwise: %s", f.kind, f.owner, f.name, name)
			}
			seen++
		}
	}
	t.Logf("%d changed facts", seen)
}

// mutations gives the entry broken in all ways that fit.
func mutations(e Entry) map[string]Entry {
	m := map[string]Entry{}
	add := func(name string, change func(*Entry)) {
		broken := e
		change(&broken)
		m[name] = broken
	}
	add("name cut short", func(b *Entry) { b.Name = b.Name[:len(b.Name)-1] })
	add("name misspelt", func(b *Entry) { b.Name = swapCase(b.Name) })
	if e.Own {
		return typeMutations(m, e)
	}
	switch e.Kind {
	case KindEnum:
		add("value one more", func(b *Entry) { b.Value++ })
		add("value negative", func(b *Entry) { b.Value = -b.Value - 1 })
		return m
	case KindMessage, KindOverride, KindAction:
		add("owner unknown", func(b *Entry) { b.Owner += "X" })
		if e.Owner != "NSObject" && e.Owner != "NSProgressIndicator" { // what inherits has it too
			add("owner another", func(b *Entry) { b.Owner = "NSProgressIndicator" })
		}
		add("level", func(b *Entry) { b.Class = !b.Class })
	default:
		add("framework another", func(b *Entry) { b.Framework = "Social" })
	}
	if e.Since != "" {
		add("since forgotten", func(b *Entry) { b.Since = "" })
		add("since too early", func(b *Entry) { b.Since = "14.4" })
		add("since too late", func(b *Entry) { b.Since = "99.0" })
	} else if e.Kind != KindClass {
		add("since for nothing", func(b *Entry) { b.Since = "99.0" })
	}
	if e.Kind == KindConstant || e.Kind == KindAddress {
		add("argument type", func(b *Entry) { b.Type = reflect.TypeFor[int32]() })
		add("argument kind", func(b *Entry) {
			if b.Kind = KindAddress; e.Kind == KindAddress {
				b.Kind = KindConstant
			}
		})
		return m
	}
	return typeMutations(m, e)
}

// typeMutations breaks each type of a function, and the number of its arguments.
func typeMutations(m map[string]Entry, e Entry) map[string]Entry {
	if e.Type == nil {
		return m
	}
	in, out := signature(e.Type)
	add := func(name string, in, out []reflect.Type) {
		broken := e
		broken.Type = reflect.FuncOf(in, out, false)
		m[name] = broken
	}
	for i := range in {
		for _, other := range others(in[i]) {
			changed := slices.Clone(in)
			changed[i] = other
			add(fmt.Sprintf("argument %d is %s", i, other), changed, out)
		}
	}
	if len(in) > 0 {
		add("missing argument", in[:len(in)-1], out)
	}
	add("additional argument", append(slices.Clone(in), reflect.TypeFor[ID]()), out)
	switch len(out) {
	case 0:
		add("result that is none", in, []reflect.Type{reflect.TypeFor[ID]()})
	default:
		add("result forgotten", in, nil)
		for _, other := range others(out[0]) {
			add("result is "+other.String(), in, []reflect.Type{other})
		}
	}
	return m
}

// others are the types that t is mistaken for.
func others(t reflect.Type) []reflect.Type {
	var all []reflect.Type
	for _, other := range []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[uint](), reflect.TypeFor[int32](), reflect.TypeFor[uint32](),
		reflect.TypeFor[float64](), reflect.TypeFor[float32](), reflect.TypeFor[Size](), reflect.TypeFor[Rect](), reflect.TypeFor[SEL](), reflect.TypeFor[ID](),
		reflect.TypeFor[BlockBool](), reflect.TypeFor[BlockBoolError](), reflect.TypeFor[BlockState](), reflect.TypeFor[BlockResult](), reflect.TypeFor[BlockPolicy](),
	} {
		same := pointer(code(other)) == pointer(code(t)) // of one size and class
		_, block := blocks()[t]
		_, otherBlock := blocks()[other]
		if other != t && (!same || block && otherBlock) {
			all = append(all, other)
		}
	}
	return all
}

func swapCase(s string) string {
	at := len(s) / 2
	for at < len(s) && !unicode.IsLetter(rune(s[at])) {
		at++
	}
	if at == len(s) {
		at = 0
	}
	c := rune(s[at])
	if unicode.IsUpper(c) {
		return s[:at] + string(unicode.ToLower(c)) + s[at+1:]
	}
	return s[:at] + string(unicode.ToUpper(c)) + s[at+1:]
}
