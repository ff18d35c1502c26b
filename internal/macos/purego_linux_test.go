package macos

import (
	"reflect"
	"testing"

	"github.com/ebitengine/purego"
)

type (
	runtimeID  uintptr
	runtimeSEL uintptr
)

// TestPuregoTakesAll: purego checks a declaration when it is bound, by panicking. It
// does so on Linux too, by the same rules for the same processors.
func TestPuregoTakesAll(t *testing.T) {
	bound := 0
	take := func(e Entry, what func()) {
		defer func() {
			if reason := recover(); reason != nil {
				t.Errorf("%s: %v", e, reason)
			}
		}()
		what()
		bound++
	}
	types := map[reflect.Type]reflect.Type{reflect.TypeFor[ID](): reflect.TypeFor[runtimeID](), reflect.TypeFor[SEL](): reflect.TypeFor[runtimeSEL]()}
	for _, e := range Entries() {
		switch e.Kind {
		case KindFunction:
			take(e, func() { purego.RegisterFunc(reflect.New(e.Type).Interface(), 1) })
		case KindMessage:
			take(e, func() { purego.RegisterFunc(reflect.New(sent(e.Type)).Interface(), 1) })
		case KindOverride:
			do := reflect.MakeFunc(e.Type, func([]reflect.Value) []reflect.Value { return zeroes(e.Type) })
			take(e, func() { purego.NewCallback(implement(do, types, nil).Interface()) })
		case KindConstant, KindAddress, KindAction, KindClass, KindEnum:
		}
	}
	take(Entry{Name: "a block"}, func() { purego.NewCallback(func(runtimeID, bool, runtimeID) {}) })
	t.Logf("%d bound", bound)
	if bound < 100 {
		t.Errorf("only %d were bound", bound)
	}
}

// TestCall binds a message to a C function of this process, and sends it: receiver,
// selector and a struct of two doubles arrive where C looks for them.
func TestCall(t *testing.T) {
	type declared = func(to ID, size Size, n int, flag bool) ID
	var got []any
	callback := purego.NewCallback(func(to, selector uintptr, width, height float64, n int, flag bool) uintptr {
		got = []any{to, selector, width, height, n, flag}
		return to + 1
	})
	send := reflect.New(sent(reflect.TypeFor[declared]()))
	purego.RegisterFunc(send.Interface(), callback)
	var message declared
	reflect.ValueOf(&message).Elem().Set(bind(reflect.TypeFor[declared](), 7, send.Elem(), nil))
	if answer := message(41, Size{Width: 1.5, Height: -2}, -3, true); answer != 42 {
		t.Errorf("answered %d", answer)
	}
	if want := []any{uintptr(41), uintptr(7), 1.5, -2.0, -3, true}; !reflect.DeepEqual(got, want) {
		t.Errorf("arrived as %v, want %v", got, want)
	}
}
