// Package doctor looks for what stands in LocalPasskey's way on this machine.
//
//	files below Root ──┐
//	the daemon's words ├──► Examine ──► findings: ok, note, problem, not needed
//	clock and disk   ──┘
//
// It only looks: nothing is started, changed or asked of the person. It is a client of the
// daemon like any other, so what the TPM knows comes from the daemon; while none answers,
// a finding says so. Every problem has a hint.
//
// It refuses to know keys, the store's content, and how findings are shown.
package doctor

import (
	"context"
	"time"
)

// State is what was found.
type State string

// The states. A Note is about what works and is less than it could be; NotNeeded, about
// something that is not there and need not be.
const (
	OK        State = "ok"
	Note      State = "note"
	Problem   State = "problem"
	NotNeeded State = "not needed"
)

// Finding is one line of the examination. Its words may be the daemon's or a file's:
// make them legible before they are shown.
type Finding struct {
	Check string // what was looked at: "TPM device"
	State State
	Text  string // what was found
	Hint  string // what to do; set for each Problem and Note
}

// Machine is what is examined.
type Machine struct {
	// Root is where the file system begins: "/".
	Root string
	// UID and Groups are the person's, Home the directory, Path the directories in which
	// programs are looked up.
	UID    int
	Groups []int
	Home   string
	Path   []string
	// Display: the session has a screen, so a prompt needs one.
	Display bool
	// Socket is where the daemon should answer; where nothing is, the service's counts.
	// Store is the file that a daemon of the person's keeps. Neither is below Root, and
	// either may be "".
	Socket, Store string
	// Program is this program's own file, and Version its version.
	Program, Version string
	Now              time.Time
}

// Examine looks at everything, in the order in which things depend on one another.
func Examine(ctx context.Context, m Machine) []Finding {
	if m.has(serviceSocket) && (m.Socket == "" || missing(m.Socket)) {
		m.Socket = m.at(serviceSocket)
	}
	d := m.ask(ctx)
	found := []Finding{
		m.tpmDriver(), m.tpmDevice(), m.tpmAccess(d),
	}
	found = append(found, d.chip()...)
	found = append(
		found, m.uhidModule(), m.uhidAccess(d), m.udevRules(), m.service(), m.socketUnit(),
		m.daemon(d), d.setUp(), d.pin(), d.key(), d.lockScreen(), d.agent(), m.pinentry(), d.fingerprint(),
	)
	found = append(found, m.browsers()...)
	found = append(found, m.manifests()...)
	return append(found, m.clock(), m.disk())
}

// Sick tells whether there is a problem among the findings.
func Sick(found []Finding) bool {
	for _, f := range found {
		if f.State == Problem {
			return true
		}
	}
	return false
}

func ok(check, text string) Finding { return Finding{Check: check, State: OK, Text: text} }

func notNeeded(check, text string) Finding {
	return Finding{Check: check, State: NotNeeded, Text: text}
}

func note(check, text, hint string) Finding {
	return Finding{Check: check, State: Note, Text: text, Hint: hint}
}

func wrong(check, text, hint string) Finding {
	return Finding{Check: check, State: Problem, Text: text, Hint: hint}
}
