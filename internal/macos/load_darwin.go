package macos

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// paths are where the frameworks are. Since macOS 11 no files are there: dlopen finds them
// in the system's shared cache by these names.
func paths() map[string]string {
	const frameworks = "/System/Library/Frameworks/"
	return map[string]string{
		"libSystem":              "/usr/lib/libSystem.B.dylib",
		"libobjc":                "/usr/lib/libobjc.A.dylib",
		"CoreFoundation":         frameworks + "CoreFoundation.framework/CoreFoundation",
		"Foundation":             frameworks + "Foundation.framework/Foundation",
		"Security":               frameworks + "Security.framework/Security",
		"LocalAuthentication":    frameworks + "LocalAuthentication.framework/LocalAuthentication",
		"AuthenticationServices": frameworks + "AuthenticationServices.framework/AuthenticationServices",
		"AppKit":                 frameworks + "AppKit.framework/AppKit",
		"WebKit":                 frameworks + "WebKit.framework/WebKit",
	}
}

// Library is what a process has loaded. Fields of frameworks that it did not ask
// for are nil.
type Library struct {
	C    Functions
	K    Constants
	A    Addresses
	Send Messages

	classes   map[string]Class
	constants map[string]Ref
	handles   map[string]uintptr

	mu    sync.Mutex
	next  Pointer
	queue map[Pointer]func()
	main  Pointer
}

// Load opens the named frameworks beside the system's foundations, and resolves all
// that is declared of them. The error names the first symbol or class that is not
// there.
func Load(frameworks ...string) (*Library, error) {
	l := &Library{classes: map[string]Class{}, constants: map[string]Ref{}, handles: map[string]uintptr{}, queue: map[Pointer]func(){}}
	for _, f := range append([]string{"libSystem", "libobjc", "CoreFoundation", "Foundation"}, frameworks...) {
		handle, err := purego.Dlopen(paths()[f], purego.RTLD_GLOBAL|purego.RTLD_NOW)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		l.handles[f] = handle
	}
	if err := l.symbols(); err != nil {
		return nil, err
	}
	for name, framework := range Classes() {
		if l.handles[framework] == 0 {
			continue
		}
		class := objc.GetClass(name)
		if class == 0 {
			return nil, fmt.Errorf("%s: no class %s", framework, name)
		}
		l.classes[name] = Class(class)
	}
	return l, l.messages()
}

// symbols resolves functions, constants and addresses.
func (l *Library) symbols() error {
	resolve := func(set func(e Entry, field reflect.Value, address uintptr)) func(Entry, reflect.Value) error {
		return func(e Entry, field reflect.Value) error {
			handle := l.handles[e.Framework]
			if handle == 0 {
				return nil
			}
			address, err := purego.Dlsym(handle, e.Name)
			if err != nil {
				return fmt.Errorf("%s: no %s: %w", e.Framework, e.Name, err)
			}
			set(e, field, address)
			return nil
		}
	}
	err := each(KindFunction, &l.C, resolve(func(_ Entry, field reflect.Value, address uintptr) {
		purego.RegisterFunc(field.Addr().Interface(), address)
	}))
	if err != nil {
		return err
	}
	err = each(KindConstant, &l.K, resolve(func(e Entry, field reflect.Value, address uintptr) {
		field.SetUint(uint64(**(**uintptr)(unsafe.Pointer(&address)))) //nolint:gosec // The symbol is a variable that holds the value.
		l.constants[e.Name] = Ref(field.Uint())
	}))
	if err != nil {
		return err
	}
	return each(KindAddress, &l.A, resolve(func(_ Entry, field reflect.Value, address uintptr) {
		field.SetUint(uint64(address))
	}))
}

// messages makes every message sendable.
func (l *Library) messages() error {
	address, err := purego.Dlsym(l.handles["libobjc"], "objc_msgSend")
	if err != nil {
		return err
	}
	responds := func(to reflect.Value, selector SEL) bool {
		return l.Send.RespondsTo(ID(to.Uint()), selector)
	}
	return each(KindMessage, &l.Send, func(e Entry, field reflect.Value) error {
		send := reflect.New(sent(e.Type))
		purego.RegisterFunc(send.Interface(), address)
		selector := SEL(objc.RegisterName(e.Name))
		var gate func(reflect.Value) bool
		if e.Since != "" {
			gate = func(to reflect.Value) bool { return responds(to, selector) }
		}
		field.Set(bind(e.Type, selector, send.Elem(), gate))
		return nil
	})
}

// Class gives a class of Classes, 0 where its framework was not loaded.
func (l *Library) Class(name string) Class { return l.classes[name] }

// Constant gives a constant of Constants by the SDK's name, 0 where there is none.
func (l *Library) Constant(name string) Ref { return l.constants[name] }

// New makes an object with init; the caller releases it.
func (l *Library) New(class string) ID { return l.Send.Init(l.Send.Alloc(l.Class(class))) }
