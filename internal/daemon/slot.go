package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
)

// nodePatience is how long the kernel gets to show a device to programs.
const nodePatience = 5 * time.Second

// Device is a security key without a plug, as programs of this machine find it.
type Device interface {
	ctaphid.Conn
	// Node names its node, once there is one.
	Node(ctx context.Context) (string, error)
	// Close withdraws it; what waits for its reports ends.
	Close() error
}

// slot is where the device is plugged in: by set-up or the daemon's start, and pulled
// by its end. In between it is pulled and plugged in again when the power is cycled.
// Before use and after it nothing can be plugged in, nor while its user is away.
type slot struct {
	plug func() (Device, error) // nil where no device is to be offered
	open func(ctap.Caller) ctap.Authenticator
	log  *slog.Logger

	owner int // uid of those who find it

	mu      sync.Mutex
	inUse   bool
	away    bool
	plugged *plugged // nil when empty
	problem error    // why it is empty
}

// plugged is a device that programs find.
type plugged struct {
	device Device
	node   string
	stop   context.CancelFunc
	ended  chan struct{}
}

// use begins or ends the slot's use.
func (s *slot) use(begin bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse = begin
}

// setAway says whether its user is away; nothing is pulled or plugged in by that.
func (s *slot) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// isAway tells whether its user is.
func (s *slot) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// in plugs the device in, unless it is. That it cannot be had does not stop the daemon:
// there are other doors.
func (s *slot) in() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plug == nil || !s.inUse || s.away || s.plugged != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &plugged{stop: stop, ended: make(chan struct{})}
	if s.problem = p.appear(ctx, s.plug); s.problem != nil {
		stop()
		s.log.WarnContext(ctx, "no security key is offered to programs", "cause", s.problem)
		return
	}
	s.plugged = p
	s.log.InfoContext(ctx, "programs find a security key", "node", p.node)
	go s.serve(ctx, p)
}

func (p *plugged) appear(ctx context.Context, plug func() (Device, error)) (err error) {
	if p.device, err = plug(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	if p.node, err = p.device.Node(ctx); err != nil {
		return errors.Join(err, p.device.Close())
	}
	return nil
}

// serve answers what programs write to the device, until it is pulled or the kernel
// takes it away.
func (s *slot) serve(ctx context.Context, p *plugged) {
	caller := ctap.Caller{UID: s.owner, Door: ctap.DoorHID, Node: p.node}
	err := ctaphid.Serve(ctap.WithCaller(ctx, caller), p.device, func() ctap.Authenticator { return s.open(caller) }, s.log)
	close(p.ended)
	if err == nil {
		return
	}
	s.log.ErrorContext(ctx, "the security key is gone", "cause", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plugged != p {
		return // pulled at the same time
	}
	s.plugged, s.problem = nil, &ctap.Problem{
		Status: ctap.Other, What: "the kernel took the security key away",
		Hint: "`localpasskey reconnect` brings it back", Cause: err,
	}
	p.stop()
	_ = p.device.Close() // it is gone already
}

// out pulls the device. Requests that came through it have ended when out returns.
func (s *slot) out() error {
	s.mu.Lock()
	p := s.plugged
	s.plugged = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	p.stop()
	err := p.device.Close()
	<-p.ended
	return err
}

// describe tells where the device is, or why there is none.
func (s *slot) describe() (node string, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.plugged != nil:
		return s.plugged.node, nil
	case s.away && s.plug != nil:
		return "", &ctap.Problem{
			Status: ctap.NotAllowed, What: "the security key is withdrawn while you are not at this machine's screen, or it is locked or left alone",
			Hint: "it comes back by itself when you are; `loginctl session-status` tells what the system knows of that",
		}
	default:
		return "", s.problem
	}
}
