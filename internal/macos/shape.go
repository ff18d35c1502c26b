package macos

import (
	"reflect"
	"slices"
	"unsafe"
)

// invoked gives the C function of a block: it follows the class (8 bytes), the flags and a reserved
// word (4 bytes each), by the ABI of blocks. purego only calls blocks that it has made itself.
func invoked(block uintptr) uintptr {
	address := block + 16
	return **(**uintptr)(unsafe.Pointer(&address)) //nolint:gosec // A block, which the system keeps while we look.
}

// sent is the C type of a message declared as t: objc_msgSend takes the selector
// second.
func sent(t reflect.Type) reflect.Type {
	in, out := signature(t)
	return reflect.FuncOf(slices.Insert(in, 1, reflect.TypeFor[SEL]()), out, false)
}

// bind makes the function of a message declared as t, which calls send with the
// selector. Where responds is set and says no, the answer is the zero value.
func bind(t reflect.Type, selector SEL, send reflect.Value, responds func(to reflect.Value) bool) reflect.Value {
	return reflect.MakeFunc(t, func(args []reflect.Value) []reflect.Value {
		if responds != nil && !responds(args[0]) {
			return zeroes(t)
		}
		return send.Call(slices.Insert(args, 1, reflect.ValueOf(selector)))
	})
}

// implement makes what the runtime calls for an override: do, with the selector
// taken out of the arguments and its types exchanged by types. A panic goes to
// stopped, with the receiver, and no further.
func implement(do reflect.Value, types map[reflect.Type]reflect.Type, stopped func(self reflect.Value, reason any)) reflect.Value {
	exchange := func(t reflect.Type) reflect.Type {
		if other, ok := types[t]; ok {
			return other
		}
		return t
	}
	in, out := signature(do.Type())
	in = slices.Insert(in, 1, reflect.TypeFor[SEL]())
	for i := range in {
		in[i] = exchange(in[i])
	}
	for i := range out {
		out[i] = exchange(out[i])
	}
	t := reflect.FuncOf(in, out, false)
	return reflect.MakeFunc(t, func(args []reflect.Value) (results []reflect.Value) {
		results = zeroes(t)
		self := args[0]
		defer func() {
			if reason := recover(); reason != nil {
				stopped(self, reason)
			}
		}()
		args = slices.Delete(args, 1, 2)
		for i := range args {
			args[i] = args[i].Convert(do.Type().In(i))
		}
		for i, result := range do.Call(args) {
			results[i] = result.Convert(out[i])
		}
		return results
	})
}

func signature(t reflect.Type) (in, out []reflect.Type) {
	return slices.Collect(t.Ins()), slices.Collect(t.Outs())
}

func zeroes(t reflect.Type) []reflect.Value {
	var all []reflect.Value
	for out := range t.Outs() {
		all = append(all, reflect.Zero(out))
	}
	return all
}
