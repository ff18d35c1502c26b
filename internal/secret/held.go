package secret

import (
	"sync"
	"time"
)

// Held is a secret that waits for its one use, for a while: it is taken once or wiped
// when its time is over, whatever else goes on. The zero value holds none.
type Held struct {
	mu      sync.Mutex
	content Bytes
	forget  *time.Timer
}

// Hold keeps a copy of b for at most d; what was held before is wiped.
func (h *Held) Hold(b Bytes, d time.Duration) {
	h.Drop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.content = b.Clone()
	h.forget = time.AfterFunc(d, h.Drop)
}

// Take gives the secret away, zero where there is none any more.
func (h *Held) Take() Bytes {
	h.mu.Lock()
	defer h.mu.Unlock()
	content := h.content
	h.content = Bytes{}
	if h.forget != nil {
		h.forget.Stop()
	}
	return content
}

// Drop wipes what is held.
func (h *Held) Drop() { h.Take().Wipe() }
