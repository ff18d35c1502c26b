package macos

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// fact is one row of testdata/sdk.tsv; its README tells the columns.
type fact struct {
	kind, framework, owner, name, encoding, introduced string
	notes                                              []string
}

type facts []fact

func readFacts(t *testing.T) facts {
	t.Helper()
	content, err := os.ReadFile("testdata/sdk.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all facts
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(c) != 7 {
			t.Fatalf("a row of %d columns: %q", len(c), line)
		}
		all = append(all, fact{c[0], c[1], c[2], c[3], c[4], c[5], strings.Split(c[6], ";")})
	}
	return all
}

// note gives the value of a note, and whether it is there.
func (f fact) note(key string) (string, bool) {
	for _, n := range f.notes {
		if k, v, _ := strings.Cut(n, "="); k == key {
			return strings.Trim(v, `"`), true
		}
	}
	return "", false
}

// find gives the row of that name, of one of the kinds.
func (all facts) find(owner, name string, kinds ...string) (fact, bool) {
	for _, f := range all {
		for _, k := range kinds {
			if f.kind == k && f.owner == owner && f.name == name {
				return f, true
			}
		}
	}
	return fact{}, false
}

// method looks a selector up in a class or protocol, and in what is above it.
func (all facts) method(e Entry) (fact, bool) {
	kinds := []string{"instance-method", "protocol-method"}
	if e.Class {
		kinds = []string{"class-method"}
	}
	for owner := e.Owner; owner != ""; {
		class, ok := all.find("", owner, "class", "protocol")
		if !ok {
			return fact{}, false
		}
		protocols, _ := class.note("protocols")
		for _, o := range append([]string{owner}, strings.Split(protocols, ",")...) {
			if f, ok := all.find(o, e.Name, kinds...); ok {
				return f, true
			}
		}
		if class.kind == "protocol" {
			break
		}
		owner = class.encoding // a class's type is its superclass
	}
	return fact{}, false
}

// wrong tells what is wrong with an entry, "" for nothing.
func (all facts) wrong(e Entry) string {
	switch e.Kind {
	case KindFunction:
		f, ok := all.find("", e.Name, "function")
		if !ok || f.framework != e.Framework {
			return "there is no such function in " + e.Framework
		}
		return first(usable(f, e), sameFunction(f, e.Type))
	case KindConstant, KindAddress:
		f, ok := all.find("", e.Name, "constant")
		if !ok || f.framework != e.Framework {
			return "there is no such symbol in " + e.Framework
		}
		return first(usable(f, e), sameSymbol(f, e))
	case KindMessage, KindOverride, KindAction:
		if e.Own {
			return ownMethod(e)
		}
		f, ok := all.method(e)
		if !ok {
			return "there is no such method"
		}
		return first(usable(f, e), sameMethod(f, e))
	case KindClass:
		f, ok := all.find("", e.Name, "class")
		if !ok || f.framework != e.Framework {
			return "there is no such class in " + e.Framework
		}
		return usable(f, e)
	case KindEnum:
		f, ok := all.find("", e.Name, "enum")
		if value, err := strconv.ParseInt(f.encoding, 10, 64); !ok || err != nil || value != e.Value {
			return fmt.Sprintf("the SDK says %q, we use %d", f.encoding, e.Value)
		}
		return ""
	}
	return "unknown kind"
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// usable checks the version, and the notes of what must not be used.
func usable(f fact, e Entry) string {
	for _, bad := range []string{"variadic", "inline", "ns-unavailable", "not-in-stub14", "private-spi"} {
		if _, ok := f.note(bad); ok {
			return "not to be used: " + bad
		}
	}
	if f.introduced == "unavailable" || f.introduced == "" {
		return "not on macOS, or nobody knows since when"
	}
	introduced := strings.TrimPrefix(f.introduced, "<=")
	if later, ok := f.note("first-sdk"); ok {
		introduced = later
	}
	since := e.Since
	if since == "" {
		since = Minimum
	}
	if newer(introduced, since) {
		return fmt.Sprintf("came with macOS %s, declared for %s", introduced, since)
	}
	if e.Since != "" && e.Since != introduced {
		return fmt.Sprintf("came with macOS %s, declared to come with %s", introduced, e.Since)
	}
	if gone, ok := f.note("deprecated"); ok && !newer(gone, Minimum) {
		return "deprecated in " + gone
	}
	return ""
}

// newer compares versions of the form 14.0.
func newer(a, b string) bool {
	var x, y [2]int
	_, _ = fmt.Sscanf(a, "%d.%d", &x[0], &x[1])
	_, _ = fmt.Sscanf(b, "%d.%d", &y[0], &y[1])
	return x[0] > y[0] || x[0] == y[0] && x[1] > y[1]
}

// split cuts a run of encodings into its types.
func split(s string) []string {
	var all []string
	for len(s) > 0 {
		n := 0
		for s[n] == '^' {
			n++
		}
		switch {
		case s[n] == '{':
			depth := 0
			for ; n < len(s); n++ {
				switch s[n] {
				case '{':
					depth++
				case '}':
					depth--
				}
				if depth == 0 {
					break
				}
			}
			n++
		case strings.HasPrefix(s[n:], "@?"):
			n += 2
		default:
			n++
		}
		all = append(all, s[:n])
		s = strings.TrimPrefix(s[n:], ",")
	}
	return all
}

// code is the encoding of a Go type as we use it.
func code(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[ID](), reflect.TypeFor[Ref]():
		return "@"
	case reflect.TypeFor[Class]():
		return "#"
	case reflect.TypeFor[SEL]():
		return ":"
	case reflect.TypeFor[Pointer]():
		return "^"
	case reflect.TypeFor[BlockBool](), reflect.TypeFor[BlockBoolError](), reflect.TypeFor[BlockState](),
		reflect.TypeFor[BlockResult](), reflect.TypeFor[BlockPolicy]():
		return "@?"
	case reflect.TypeFor[Size]():
		return "{CGSize=dd}"
	case reflect.TypeFor[Rect]():
		return "{CGRect={CGPoint=dd}{CGSize=dd}}"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "B"
	case reflect.Int:
		return "q"
	case reflect.Uint:
		return "Q"
	case reflect.Int32:
		return "i"
	case reflect.Uint32:
		return "I"
	case reflect.Float64:
		return "d"
	case reflect.Pointer:
		return "^" + code(t.Elem())
	case reflect.Uint8:
		return "C"
	case reflect.Int64:
		return "q"
	default:
		return "?" + t.String()
	}
}

// object folds Core Foundation's references into objects: they are both.
func object(encoding string) string {
	if strings.HasPrefix(encoding, "^{__CF") || strings.HasPrefix(encoding, "^{__Sec") {
		return "@"
	}
	return encoding
}

// pointer folds all that is passed as a pointer.
func pointer(encoding string) string {
	if encoding != "" && strings.ContainsRune("@^*#", rune(encoding[0])) {
		return "^"
	}
	return encoding
}

func sameFunction(f fact, t reflect.Type) string {
	result, arguments, _ := strings.Cut(strings.TrimSuffix(f.encoding, ")"), "(")
	want := append([]string{result}, split(arguments)...)
	return sameTypes(want, codes(t, 0), pointer)
}

func sameMethod(f fact, e Entry) string {
	want := split(f.encoding)
	if len(want) < 3 || want[1] != "@" || want[2] != ":" {
		return "the SDK's encoding makes no sense: " + f.encoding
	}
	if e.Type.NumIn() == 0 {
		return "it is sent to nobody"
	}
	self := reflect.TypeFor[ID]()
	if e.Class {
		self = reflect.TypeFor[Class]()
	}
	if e.Type.In(0) != self {
		return fmt.Sprintf("it is sent to a %s, not to a %s", self, e.Type.In(0))
	}
	want = append(want[:1:1], want[3:]...)
	if s := sameTypes(want, codes(e.Type, 1), object); s != "" {
		return s
	}
	if strings.Count(e.Name, ":") != e.Type.NumIn()-1 {
		return "its selector has another number of colons"
	}
	return sameBlocks(f, e.Type)
}

// blocks are what each block type is called with.
func blocks() map[reflect.Type]string {
	return map[reflect.Type]string{
		reflect.TypeFor[BlockBool](): "v@?B", reflect.TypeFor[BlockBoolError](): "v@?B@", reflect.TypeFor[BlockState](): "v@?@",
		reflect.TypeFor[BlockResult](): "v@?@@", reflect.TypeFor[BlockPolicy](): "v@?q",
	}
}

func sameBlocks(f fact, t reflect.Type) string {
	for i := 1; i < t.NumIn(); i++ {
		ours, ok := blocks()[t.In(i)]
		if theirs, _ := f.note("blk" + strconv.Itoa(i)); ok && theirs != ours {
			return fmt.Sprintf("its block is %s, we make %s", theirs, ours)
		}
	}
	return ""
}

// codes are the encodings of a function's result and arguments, without the first few.
func codes(t reflect.Type, skip int) []string {
	all := []string{"v"}
	if t.NumOut() == 1 {
		all[0] = code(t.Out(0))
	}
	for i := skip; i < t.NumIn(); i++ {
		all = append(all, code(t.In(i)))
	}
	return all
}

func sameTypes(want, got []string, fold func(string) string) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d arguments, we have %d", len(want)-1, len(got)-1)
	}
	for i := range want {
		if fold(want[i]) != fold(got[i]) {
			return fmt.Sprintf("type %d is %s, ours is %s", i, want[i], got[i])
		}
	}
	return ""
}

func sameSymbol(f fact, e Entry) string {
	switch _, queue := f.note("address-is-the-queue"); {
	case e.Kind == KindConstant && e.Type == reflect.TypeFor[Ref]() && !queue && object(f.encoding) == "@":
		return ""
	case e.Kind == KindAddress && e.Type == reflect.TypeFor[Pointer]() && strings.HasPrefix(f.encoding, "{"):
		return ""
	case e.Kind == KindAddress && e.Type == reflect.TypeFor[ID]() && queue:
		return ""
	}
	return fmt.Sprintf("the symbol is %s, we take it for a %s by %s", f.encoding, e.Type, e.Kind)
}

// ownMethod: the target of a button takes the button and gives nothing.
func ownMethod(e Entry) string {
	if e.Type != reflect.TypeFor[func(self, sender ID)]() || !strings.HasPrefix(e.Name, "localPasskey") || strings.Count(e.Name, ":") != 1 {
		return "no method of ours that a button can send"
	}
	return ""
}
