package macos

import (
	"fmt"
	"reflect"
	"strings"
)

// Kind is what an entry is on the other side.
type Kind string

// Ours: the kinds.
const (
	KindFunction Kind = "function"
	KindConstant Kind = "constant" // a symbol that holds the value
	KindAddress  Kind = "address"  // a symbol that is the value
	KindMessage  Kind = "message"
	KindOverride Kind = "override"
	KindAction   Kind = "action" // a message that a menu sends
	KindClass    Kind = "class"
	KindEnum     Kind = "enum"
)

// Entry is one thing that we call, implement or count on.
type Entry struct {
	Kind      Kind
	Framework string // of functions, constants, addresses and classes
	Owner     string // class or protocol of messages and overrides
	Class     bool   // a message to the class itself
	Name      string // symbol, selector, class or enumerator
	Field     string // where it is declared here
	Type      reflect.Type
	Since     string // "" for Minimum
	Value     int64  // of enumerators
	Own       bool   // a method that only we know
}

// String names the entry as the SDK does.
func (e Entry) String() string {
	switch {
	case e.Kind != KindMessage && e.Kind != KindOverride && e.Kind != KindAction:
		return e.Name
	case e.Class:
		return fmt.Sprintf("+[%s %s]", e.Owner, e.Name)
	default:
		return fmt.Sprintf("-[%s %s]", e.Owner, e.Name)
	}
}

// Entries lists everything that is declared in this package.
func Entries() []Entry {
	var all []Entry
	collect := func(e Entry, _ reflect.Value) error {
		all = append(all, e)
		return nil
	}
	for kind, declared := range map[Kind]any{
		KindFunction: new(Functions), KindConstant: new(Constants), KindAddress: new(Addresses),
		KindMessage: new(Messages), KindOverride: new(Overrides),
	} {
		_ = each(kind, declared, collect) // collect gives no error
	}
	for name, framework := range Classes() {
		all = append(all, Entry{Kind: KindClass, Framework: framework, Name: name})
	}
	for action, owner := range Actions() {
		all = append(all, Entry{Kind: KindAction, Owner: owner, Name: string(action), Type: reflect.TypeFor[func(to, sender ID)]()})
	}
	for name, value := range Enums() {
		all = append(all, Entry{Kind: KindEnum, Name: name, Value: value})
	}
	return all
}

// each goes through the fields of a declaration.
func each(kind Kind, declared any, do func(Entry, reflect.Value) error) error {
	v := reflect.ValueOf(declared).Elem()
	for i := range v.NumField() {
		if err := do(entryOf(kind, v.Type().Field(i)), v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// entryOf reads a field's tags.
func entryOf(kind Kind, f reflect.StructField) Entry {
	e := Entry{Kind: kind, Field: f.Name, Type: f.Type, Since: f.Tag.Get("since")}
	if own := f.Tag.Get("own"); own != "" {
		e.Own, e.Name = true, own
		return e
	}
	where, name, _ := strings.Cut(f.Tag.Get("macos"), " ")
	e.Name = name
	switch kind {
	case KindMessage, KindOverride:
		e.Class = strings.HasPrefix(where, "+")
		e.Owner = strings.TrimLeft(where, "+-")
	default:
		e.Framework = where
	}
	return e
}
