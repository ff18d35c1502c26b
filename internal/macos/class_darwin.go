package macos

import (
	"fmt"
	"reflect"
	"runtime"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// Define registers a class below super whose methods are the functions that are set
// in methods. A panic in one of them is handed to stopped.
func (l *Library) Define(name, super string, methods *Overrides, stopped func(self ID, reason any)) error {
	types := map[reflect.Type]reflect.Type{
		reflect.TypeFor[ID](): reflect.TypeFor[objc.ID](), reflect.TypeFor[Class](): reflect.TypeFor[objc.Class](),
		reflect.TypeFor[SEL](): reflect.TypeFor[objc.SEL](), reflect.TypeFor[BlockPolicy](): reflect.TypeFor[objc.Block](),
	}
	var defined []objc.MethodDef
	err := each(KindOverride, methods, func(e Entry, field reflect.Value) error {
		if field.IsNil() {
			return nil
		}
		defined = append(defined, objc.MethodDef{
			Cmd: objc.RegisterName(e.Name), Fn: implement(field, types, func(self reflect.Value, reason any) {
				stopped(ID(self.Uint()), reason)
			}).Interface(),
		})
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := objc.RegisterClass(name, objc.Class(l.Class(super)), nil, nil, defined); err != nil {
		return fmt.Errorf("class %s: %w", name, err)
	}
	return nil
}

// Own gives a class that Define has made, 0 where there is none.
func (l *Library) Own(name string) Class { return Class(objc.GetClass(name)) }

// Selector gives the selector of a method of ours, or of an Action, for a button or menu to send.
func (l *Library) Selector(own string) SEL { return SEL(objc.RegisterName(own)) }

// Answer calls a block that the system has handed to an override, before that returns.
func (l *Library) Answer(block BlockPolicy, policy int) {
	_, _, _ = purego.SyscallN(invoked(uintptr(block)), uintptr(block), uintptr(policy)) // one of the few that Enums has
}

// BoolError makes a block. It must be released with Free once it cannot be called
// any more.
func (l *Library) BoolError(do func(ok bool, err ID)) BlockBoolError {
	return BlockBoolError(objc.NewBlock(func(_ objc.Block, ok bool, err objc.ID) { do(ok, ID(err)) }))
}

// Bool makes a block, as BoolError.
func (l *Library) Bool(do func(bool)) BlockBool {
	return BlockBool(objc.NewBlock(func(_ objc.Block, ok bool) { do(ok) }))
}

// State makes a block, as BoolError.
func (l *Library) State(do func(state ID)) BlockState {
	return BlockState(objc.NewBlock(func(_ objc.Block, state objc.ID) { do(ID(state)) }))
}

// Free releases a block.
func (l *Library) Free(block uintptr) { objc.Block(block).Release() }

// EndModal ends a panel that the main thread shows, or shows next: its answer is NSModalResponseAbort.
// The system sends the message itself, from a place where the exception that it raises is expected;
// none may pass through Go.
func (l *Library) EndModal() {
	app := l.Send.Application(l.Class("NSApplication"))
	l.Send.PerformOnMain(app, SEL(objc.RegisterName("abortModal")), 0, false) // Messages.AbortModal
}

// Pool runs do within an autorelease pool, which belongs to a thread.
func (l *Library) Pool(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := l.C.AutoreleasePoolPush()
	defer l.C.AutoreleasePoolPop(pool)
	do()
}

// OnMain runs do on the main thread, where views may be touched, and returns at
// once. One callback serves all calls: purego frees none.
func (l *Library) OnMain(do func()) {
	l.mu.Lock()
	if l.main == 0 {
		l.main = Pointer(purego.NewCallback(func(number uintptr) uintptr {
			l.take(Pointer(number))()
			return 0
		}))
	}
	l.next++
	number := l.next
	l.queue[number] = do
	l.mu.Unlock()
	l.C.DispatchAsyncF(l.A.MainQueue, number, l.main)
}

// take gives what waits under a number.
func (l *Library) take(number Pointer) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	do := l.queue[number]
	delete(l.queue, number)
	if do == nil {
		return func() {}
	}
	return do
}
