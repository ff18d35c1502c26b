package provider

import (
	"bytes"
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Configure answers the system's request after the person has turned us on.
func (p *Provider) Configure(ctx context.Context, to Request) {
	p.answer(ctx, to, nil, "configure", func(to Request) error {
		if err := p.Refresh(ctx); err != nil {
			return err
		}
		to.CompleteConfiguration()
		return nil
	})
}

// Refresh repairs what a crash has left, and has the system offer what there is. It
// is for every start of the app and of the extension.
func (p *Provider) Refresh(ctx context.Context) error {
	return errors.Join(p.sweep(ctx), p.publish(ctx))
}

// sweep deletes keys that no entry knows: their registration or deletion was cut
// short. Entries that cannot be read keep their keys.
func (p *Provider) sweep(ctx context.Context) error {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := p.Entries.All(ctx)
	if err != nil {
		return err
	}
	keys, err := p.Keys.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range keys {
		if _, known := entries[string(id)]; known {
			continue
		}
		if err := p.Keys.Delete(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// publish replaces the system's list. It is replaced as a whole: removing one entry
// makes the system forget all of that site.
func (p *Provider) publish(ctx context.Context) error {
	known, err := p.load(ctx)
	if err != nil {
		return err
	}
	keys, err := p.Keys.IDs(ctx)
	if err != nil {
		return err
	}
	var all []Identity
	for _, e := range known {
		if !e.Hidden && contains(keys, e.id) {
			all = append(all, e.identity())
		}
	}
	return p.Identities.Replace(ctx, all)
}

// Passkeys lists them, the oldest first.
func (p *Provider) Passkeys(ctx context.Context) ([]Passkey, error) {
	known, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := p.Keys.IDs(ctx)
	if err != nil {
		return nil, err
	}
	var all []Passkey
	for _, e := range known {
		all = append(all, Passkey{
			ID: e.id, RPID: e.RPID, UserName: e.UserName, Created: e.created(), SignCount: e.SignCount, Hidden: e.Hidden, Broken: !contains(keys, e.id),
		})
	}
	return all, nil
}

// Delete deletes a passkey for good. What is not there is no error.
func (p *Provider) Delete(ctx context.Context, id []byte) error {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return err
	}
	err = p.drop(ctx, id)
	unlock()
	if err != nil {
		return err
	}
	return p.publish(ctx)
}

// Rename gives a passkey another user name. The site is not told.
func (p *Provider) Rename(ctx context.Context, id []byte, name string) error {
	return p.changeOne(ctx, id, func(e *entry) bool {
		changed := e.UserName != name
		e.UserName = name
		return changed
	})
}

// Hide hides a passkey from the system's list, or brings it back.
func (p *Provider) Hide(ctx context.Context, id []byte, hidden bool) error {
	return p.changeOne(ctx, id, func(e *entry) bool {
		changed := e.Hidden != hidden
		e.Hidden = hidden
		return changed
	})
}

// changeOne changes the entry of an id, and what is offered.
func (p *Provider) changeOne(ctx context.Context, id []byte, change func(*entry) bool) error {
	found := false
	changed, err := p.changeAll(ctx, func(e *entry) bool {
		if !bytes.Equal(e.id, id) {
			return false
		}
		found = true
		return change(e)
	})
	switch {
	case err != nil:
		return err
	case !found:
		return ctap.NoCredentials
	case changed:
		return p.publish(ctx)
	default:
		return nil
	}
}

// ReportUpdate takes a site's word for an account's new name.
func (p *Provider) ReportUpdate(ctx context.Context, rpID string, userHandle []byte, name string) {
	p.report(ctx, "update", func(e *entry) bool {
		changed := e.RPID == rpID && bytes.Equal(e.UserHandle, userHandle) && e.UserName != name
		if changed {
			e.UserName = name
		}
		return changed
	})
}

// ReportUnknown takes a site's word that it knows a passkey no more: it is hidden.
func (p *Provider) ReportUnknown(ctx context.Context, rpID string, id []byte) {
	p.report(ctx, "unknown", func(e *entry) bool {
		changed := e.RPID == rpID && bytes.Equal(e.id, id) && !e.Hidden
		e.Hidden = e.Hidden || changed
		return changed
	})
}

// ReportAllAccepted takes a site's word for which passkeys of an account it knows:
// the others are hidden, and those that were hidden come back.
func (p *Provider) ReportAllAccepted(ctx context.Context, rpID string, userHandle []byte, ids [][]byte) {
	p.report(ctx, "all accepted", func(e *entry) bool {
		hidden := !contains(ids, e.id)
		changed := e.RPID == rpID && bytes.Equal(e.UserHandle, userHandle) && e.Hidden != hidden
		if changed {
			e.Hidden = hidden
		}
		return changed
	})
}

// report changes entries. Nobody waits for an answer, so a failure is logged.
func (p *Provider) report(ctx context.Context, name string, change func(*entry) bool) {
	defer func() {
		if reason := recover(); reason != nil {
			p.Log.ErrorContext(ctx, "a site's report panicked", "report", name)
		}
	}()
	changed, err := p.changeAll(ctx, change)
	if changed {
		err = errors.Join(err, p.publish(ctx))
	}
	if err != nil {
		p.Log.ErrorContext(ctx, "a site's report was not taken up", "report", name, "cause", err)
	}
}

func (p *Provider) changeAll(ctx context.Context, change func(*entry) bool) (changed bool, err error) {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	known, err := p.load(ctx)
	if err != nil {
		return false, err
	}
	for _, e := range known {
		if !change(e) {
			continue
		}
		if err := p.save(ctx, e); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}
