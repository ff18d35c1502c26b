package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/fingerprint"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
)

// lifetime reads how long a PIN is to be held for fingers; 0 also where that cannot be
// read, as after the store was closed.
func lifetime(s *store.Store) func() time.Duration {
	return func() time.Duration {
		settings, err := s.Settings()
		if err != nil {
			return 0
		}
		return time.Duration(min(settings.FingerSeconds, finger.MaxSeconds)) * time.Second
	}
}

// reader is the user's fingerprint reader.
func (d *Daemon) reader() *fingerprint.Reader {
	return &fingerprint.Reader{Bus: d.FingerprintBus, UID: d.owner}
}

// asker is who asks the person: by the prompt and, where there can be one, by the reader.
func (d *Daemon) asker(h *held.PIN) (user authenticator.User, fingers func() uint) {
	if d.FingerprintBus == "" {
		return d.person, nil
	}
	return &fingerprint.User{Prompt: d.person, Reader: d.reader(), Held: h, Log: d.Log}, h.Uses
}

// dropHeld ends what fingers stand for.
func (o *opened) dropHeld() {
	if o != nil {
		o.held.Drop()
	}
}

// finger answers how it stands with fingers, or has the core change that.
func (ch *channel) finger(ctx context.Context, params cbor.Raw) (cbor.Raw, error) {
	var req finger.Request
	if len(params) > 0 {
		if err := cbor.Unmarshal(params, &req); err != nil {
			return nil, err
		}
	}
	o, err := ch.d.open(ctx)
	if err != nil {
		return nil, ch.explained(ctx, err)
	}
	if req.Seconds == nil {
		state, err := ch.d.fingers(ctx, o)
		if err != nil {
			return nil, ch.explained(ctx, err)
		}
		return cbor.Marshal(state)
	}
	defer o.dropHeld() // it was typed under another setting
	return o.core.Channel(ch.caller.Door).Vendor(ctx, finger.Command, params)
}

// fingers tells how it stands.
func (d *Daemon) fingers(ctx context.Context, o *opened) (*finger.State, error) {
	if d.FingerprintBus == "" {
		return &finger.State{Unavailable: true}, nil
	}
	settings, err := o.store.Settings()
	if err != nil || settings.FingerSeconds == 0 {
		return &finger.State{}, err
	}
	s := &finger.State{Seconds: settings.FingerSeconds, Held: o.held.Is()}
	if err := o.held.Trouble(); err != nil {
		s.Problem = &ctap.Problem{
			Status: ctap.Other, What: "the system gives the daemon no memory that is kept out of swap, so no PIN is held", Cause: err,
			Hint: "see LimitMEMLOCK= of localpasskey.service: `systemctl edit localpasskey`",
		}
		return s, nil
	}
	enrolled, err := d.reader().Enrolled(ctx)
	if s.Enrolled = uint(enrolled); err != nil {
		d.Log.InfoContext(ctx, "a finger cannot stand for the PIN now", "cause", err)
		s.Problem = noFinger(err)
	}
	return s, nil
}

// noFinger says why there is none, and what to do.
func noFinger(err error) *ctap.Problem {
	p := &ctap.Problem{Status: ctap.Other, Cause: err}
	switch {
	case errors.Is(err, fingerprint.ErrNoReader):
		p.What, p.Hint = "fprintd knows no fingerprint reader", "`fprintd-list $USER` shows what it knows; https://fprint.freedesktop.org/supported-devices.html which readers it can use"
	case errors.Is(err, fingerprint.ErrNotEnrolled):
		p.What, p.Hint = "no finger of yours is enrolled", "run `fprintd-enroll`, or use your desktop's settings"
	case errors.Is(err, fingerprint.ErrRefused):
		p.What, p.Hint = "fprintd does not let LocalPasskey's daemon use the reader", "its rule for polkit is missing: 50-localpasskey.rules belongs in /usr/share/polkit-1/rules.d (packaging/linux/polkit)"
	default:
		p.What, p.Hint = "fprintd does not answer", "install it: sudo apt install fprintd (or dnf install fprintd); `systemctl status fprintd` tells why it ended"
	}
	return p
}
