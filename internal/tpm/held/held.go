package held

import (
	"errors"
	"sync"
	"time"
)

// MaxMissed is how many fingers in a row may be nobody's before the PIN is wanted again.
const MaxMissed = 5

// ErrNone is the answer where nothing is held, or no longer.
var ErrNone = errors.New("no PIN is held for a finger to stand for")

// PIN holds f(PIN) of one user, or nothing. A nil *PIN never holds anything.
type PIN struct {
	lifetime func() time.Duration

	mu         sync.Mutex
	page       []byte // locked memory, nil until it is needed
	length     int    // 0: nothing is held
	generation [16]byte
	forget     *time.Timer
	keeping    uint // changes with each Keep and Drop
	away       bool
	missed     int  // in a row
	uses       uint // since a PIN was typed
	trouble    error
}

// New makes an empty one. lifetime is how long to hold, 0 for not at all; it is asked
// each time.
func New(lifetime func() time.Duration) *PIN { return &PIN{lifetime: lifetime} }

// Keep holds a copy of auth, which the TPM has just taken in this generation. What was
// held is dropped, whether or not the new one may be held.
func (p *PIN) Keep(generation [16]byte, auth []byte) {
	if p == nil {
		return
	}
	lifetime := p.lifetime()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
	p.missed, p.uses = 0, 0
	if lifetime <= 0 || p.away {
		return
	}
	if p.page == nil {
		if p.page, p.trouble = lockedPage(); p.trouble != nil {
			return
		}
	}
	p.length = copy(p.page, auth)
	p.generation = generation
	now := p.keeping
	p.forget = time.AfterFunc(lifetime, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.keeping == now {
			p.drop()
		}
	})
}

// Show gives a copy, which the caller wipes; ErrNone where there is none for this
// generation.
func (p *PIN) Show(generation [16]byte) ([]byte, error) {
	if !p.Is() {
		return nil, ErrNone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.length == 0 || p.generation != generation {
		return nil, ErrNone
	}
	return append([]byte(nil), p.page[:p.length]...), nil
}

// Is tells whether a finger can stand for the PIN now.
func (p *PIN) Is() bool {
	if p == nil || p.lifetime() <= 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.length > 0
}

// Drop zeroes what is held.
func (p *PIN) Drop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

// drop is Drop. The caller holds mu.
func (p *PIN) drop() {
	clear(p.page)
	p.length = 0
	p.keeping++
	if p.forget != nil {
		p.forget.Stop()
	}
}

// SetAway drops what is held, and while away holds nothing that is typed.
func (p *PIN) SetAway(away bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	p.drop()
}

// Matched counts a finger of the user's.
func (p *PIN) Matched() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed = 0
	p.uses++
}

// Missed counts a finger that is not the user's; MaxMissed in a row drop what is held.
func (p *PIN) Missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses++
	if p.missed++; p.missed >= MaxMissed {
		p.drop()
	}
}

// Uses is how many fingers there were since a PIN was typed (CTAP 2.3 §6.4,
// uvCountSinceLastPinEntry).
func (p *PIN) Uses() uint {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.uses
}

// Trouble is why nothing could be held: the system gives no locked memory. nil for none.
func (p *PIN) Trouble() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}
