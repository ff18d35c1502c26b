package logind

import (
	"strings"

	"github.com/godbus/dbus/v5"
)

// seated is what is known of a session.
type seated struct {
	uid     int
	counts  bool // it is a person's, at a seat
	inFront bool
	locked  bool
}

// seatedOf reads a session's properties. What is missing or of another type is as if
// nobody were there.
func seatedOf(p map[string]dbus.Variant) *seated {
	uid, ok := first[uint32](p["User"])
	seat, hasSeat := first[string](p["Seat"])
	class, hasClass := p["Class"].Value().(string)
	active, _ := p["Active"].Value().(bool)
	locked, told := p["LockedHint"].Value().(bool)
	return &seated{
		uid:     int(uid),
		counts:  ok && hasSeat && seat != "" && hasClass && strings.HasPrefix(class, "user"),
		inFront: active,
		locked:  locked || !told,
	}
}

// first gives the first member of a structure.
func first[T any](v dbus.Variant) (value T, ok bool) {
	members, ok := v.Value().([]any)
	if !ok || len(members) == 0 {
		return value, false
	}
	value, ok = members[0].(T)
	return value, ok
}

// present are those who sit in front of an unlocked screen.
func (w *watch) present() Present {
	present := Present{}
	for _, s := range w.sessions {
		if s.counts && s.inFront && !s.locked && !w.asleep {
			present[s.uid] = true
		}
	}
	return present
}
