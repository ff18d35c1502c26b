package daemon

import (
	"slices"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/daemon/board"
	"github.com/localpasskey/localpasskey/internal/process"
	"github.com/localpasskey/localpasskey/internal/store"
)

// hintAge is how long it is believed who has the device open.
const hintAge = 5 * time.Minute

// maxHints is how many programs an entry names.
const maxHints = 3

// hints knows which programs have the device open. They are looked up while their
// request is served and not when it has been: by then they may have ended, and an
// answer would wait for it.
type hints struct {
	mu       sync.Mutex
	looking  bool
	programs []string
	found    time.Time
}

// look looks, without making anybody wait.
func (h *hints) look(node string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.looking {
		return
	}
	h.looking, h.programs = true, nil // whoever held it before need not be who asks now
	go func() {
		var programs []string
		for _, chain := range process.HolderChains(node) {
			if !slices.Contains(programs, chain[0]) {
				programs = append(programs, chain[0])
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.looking = false
		h.programs, h.found = programs[:min(len(programs), maxHints)], time.Now()
	}()
}

// fill names the programs in an entry whose door could not.
func (h *hints) fill(e ctap.AuditEntry) ctap.AuditEntry {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Door == ctap.DoorHID && len(e.Programs) == 0 && time.Since(h.found) < hintAge {
		e.Programs = slices.Clone(h.programs)
	}
	return e
}

// hinted is a store whose audit trail names programs, and what is taken down there is
// told to whoever wants to be told.
type hinted struct {
	*store.Store
	hints *hints
	board *board.Board
}

// Note is store.Store's.
func (s hinted) Note(e ctap.AuditEntry) {
	e = s.hints.fill(e)
	s.Store.Note(e)
	s.board.Heed(e)
}

// Delete is store.Store's.
func (s hinted) Delete(id []byte, entries ...ctap.AuditEntry) error {
	for i := range entries {
		entries[i] = s.hints.fill(entries[i])
	}
	return s.Store.Delete(id, entries...)
}
