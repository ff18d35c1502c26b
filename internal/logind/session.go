package logind

import (
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// seated is what is known of a session.
type seated struct {
	uid     int
	counts  bool // it is a person's, at a seat
	inFront bool
	locked  bool

	// tells: the desktop has told of a locked screen at least once, and so will again.
	tells bool
	// idleSince is when it was learnt that nobody touches the machine; zero while
	// somebody does, and where only a terminal's use is known.
	idleSince time.Time
}

// seatedOf reads a session's properties. What is missing or of another type is as if
// nobody were there.
func seatedOf(p map[string]dbus.Variant) *seated {
	uid, ok := first[uint32](p["User"])
	seat, hasSeat := first[string](p["Seat"])
	class, hasClass := p["Class"].Value().(string)
	active, _ := p["Active"].Value().(bool)
	locked, told := p["LockedHint"].Value().(bool)
	s := &seated{
		uid:     int(uid),
		counts:  ok && hasSeat && seat != "" && hasClass && strings.HasPrefix(class, "user"),
		inFront: active,
		locked:  locked || !told,
		tells:   locked,
	}
	// Of a session on a terminal logind goes by the terminal's use: one in which somebody
	// has started an X server is idle for ever.
	kind, _ := p["Type"].Value().(string)
	if idle, _ := p["IdleHint"].Value().(bool); idle && slices.Contains(graphical(), kind) {
		s.idleSince = time.Now()
	}
	return s
}

// graphical are the types of sessions whose IdleHint is their desktop's word, from
// org.freedesktop.login1(5).
func graphical() []string { return []string{"x11", "wayland", "mir"} }

// after takes over what an earlier look at the session has learnt.
func (s *seated) after(earlier *seated) {
	if earlier == nil {
		return
	}
	s.tells = s.tells || earlier.tells
	if !s.idleSince.IsZero() && !earlier.idleSince.IsZero() {
		s.idleSince = earlier.idleSince
	}
}

// aloneAt is when the session is as good as locked, where its desktop does not tell of its
// lock screen; zero for never.
func (s *seated) aloneAt(idle time.Duration) time.Time {
	if idle == 0 || s.tells || s.idleSince.IsZero() {
		return time.Time{}
	}
	return s.idleSince.Add(idle)
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

// present are those who sit in front of an unlocked screen. next is how long that holds
// without another word of logind's; 0: for ever.
func (w *watch) present() (present Present, next time.Duration) {
	present = Present{}
	for _, s := range w.sessions {
		if !s.counts || !s.inFront || s.locked || w.asleep {
			continue
		}
		alone := s.aloneAt(w.Idle)
		left := time.Until(alone)
		switch {
		case alone.IsZero():
		case left <= 0:
			continue
		case next == 0 || left < next:
			next = left
		}
		present[s.uid] = Screen{Tells: present[s.uid].Tells || s.tells}
	}
	return present, next
}
