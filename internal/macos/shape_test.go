package macos

import (
	"reflect"
	"runtime"
	"testing"
	"unsafe"
)

// TestBind: whoever sends a message names neither selector nor version, and the C
// function gets the selector second.
func TestBind(t *testing.T) {
	t.Parallel()
	type declared = func(to ID, a Ref, n int) ID
	var got []any
	send := reflect.ValueOf(func(to ID, selector SEL, a Ref, n int) ID {
		got = append(got, to, selector, a, n)
		return to + 1
	})
	if want := send.Type(); sent(reflect.TypeFor[declared]()) != want {
		t.Fatalf("sent as %s, want %s", sent(reflect.TypeFor[declared]()), want)
	}
	knows := true
	var message declared
	reflect.ValueOf(&message).Elem().Set(bind(reflect.TypeFor[declared](), 7, send, func(to reflect.Value) bool {
		return knows && to.Uint() == 5
	}))
	if result := message(5, 6, -8); result != 6 || !reflect.DeepEqual(got, []any{ID(5), SEL(7), Ref(6), -8}) {
		t.Errorf("got %v and gave %d", got, result)
	}
	knows, got = false, nil
	if result := message(5, 6, -8); result != 0 || got != nil {
		t.Errorf("a system that does not know the message was sent %v, and it gave %d", got, result)
	}
}

type (
	foreignID  uintptr
	foreignSEL uintptr
)

// TestImplement: an override sees our types and no selector, and a panic in it ends
// there.
func TestImplement(t *testing.T) {
	t.Parallel()
	types := map[reflect.Type]reflect.Type{
		reflect.TypeFor[ID](): reflect.TypeFor[foreignID](), reflect.TypeFor[SEL](): reflect.TypeFor[foreignSEL](),
	}
	var stopped []any
	made, ok := reflect.TypeAssert[func(foreignID, foreignSEL, foreignID, bool) foreignID](implement(reflect.ValueOf(func(self, request ID, flag bool) ID {
		if !flag {
			panic("no flag")
		}
		return self + request
	}), types, func(self reflect.Value, reason any) { stopped = append(stopped, self.Uint(), reason) }))
	if !ok {
		t.Fatal("of another type than the runtime calls")
	}
	if sum := made(1, 99, 2, true); sum != 3 || stopped != nil {
		t.Errorf("gave %d, stopped %v", sum, stopped)
	}
	if sum := made(1, 99, 2, false); sum != 0 || !reflect.DeepEqual(stopped, []any{uint64(1), "no flag"}) {
		t.Errorf("after a panic it gave %d, and stopped with %v", sum, stopped)
	}
}

// TestInvoked reads a block as the compiler lays one out.
func TestInvoked(t *testing.T) {
	t.Parallel()
	block := struct {
		class           uintptr
		flags, reserved int32
		invoke          uintptr
		descriptor      uintptr
	}{1, 2, 3, 4, 5}
	if got := invoked(uintptr(unsafe.Pointer(&block))); got != 4 {
		t.Errorf("it is called at %d", got)
	}
	runtime.KeepAlive(&block)
}

// TestRegistersSuffice: none of our messages gives a struct: those over 16 bytes
// would have to be sent by another function on amd64.
func TestRegistersSuffice(t *testing.T) {
	t.Parallel()
	for _, e := range Entries() {
		if e.Type == nil || e.Type.Kind() != reflect.Func {
			continue
		}
		if e.Type.NumOut() > 1 || e.Type.NumOut() == 1 && e.Type.Out(0).Kind() == reflect.Struct {
			t.Errorf("%s gives %s", e, e.Type)
		}
	}
}
