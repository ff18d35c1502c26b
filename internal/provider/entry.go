package provider

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// entryVersion is the form of an entry.
const entryVersion = 1

var errEntry = errors.New("an entry of another version")

// entry is what is known of a passkey.
type entry struct {
	Version    uint     `cbor:"1,keyasint"`
	RPID       string   `cbor:"2,keyasint"`
	UserName   string   `cbor:"3,keyasint"`
	UserHandle []byte   `cbor:"4,keyasint"`
	SignCount  uint32   `cbor:"5,keyasint"`
	Created    int64    `cbor:"6,keyasint"` // seconds since 1970
	Public     cose.Key `cbor:"7,keyasint"`
	Hidden     bool     `cbor:"8,keyasint,omitempty"`
	// Replaces are the passkeys that go when this one is known to be in use.
	Replaces [][]byte `cbor:"9,keyasint,omitempty"`

	id []byte
}

// book is all entries, oldest first.
type book []*entry

// load reads the entries. One that cannot be read is left alone and left out.
func (p *Provider) load(ctx context.Context) (book, error) {
	all, err := p.Entries.All(ctx)
	if err != nil {
		return nil, err
	}
	var b book
	for id, value := range all {
		e := &entry{id: []byte(id)}
		err := cbor.Unmarshal(value, e)
		if err == nil && e.Version != entryVersion {
			err = errEntry
		}
		if err != nil {
			p.Log.WarnContext(ctx, "an entry cannot be read", "cause", err)
			continue
		}
		b = append(b, e)
	}
	slices.SortFunc(b, func(x, y *entry) int {
		if x.Created != y.Created {
			return int(x.Created - y.Created)
		}
		return bytes.Compare(x.id, y.id)
	})
	return b, nil
}

// save writes an entry.
func (p *Provider) save(ctx context.Context, e *entry) error {
	value, err := cbor.Marshal(e)
	if err != nil {
		return err
	}
	return p.Entries.Put(ctx, e.id, value)
}

// find gives the entry of an id at a relying party, nil for none.
func (b book) find(rpID string, id []byte) *entry {
	for _, e := range b {
		if e.RPID == rpID && bytes.Equal(e.id, id) {
			return e
		}
	}
	return nil
}

// of gives the entries of an account.
func (b book) of(rpID string, userHandle []byte) book {
	return b.where(func(e *entry) bool { return e.RPID == rpID && bytes.Equal(e.UserHandle, userHandle) })
}

func (b book) where(is func(*entry) bool) book {
	var some book
	for _, e := range b {
		if is(e) {
			some = append(some, e)
		}
	}
	return some
}

func (e *entry) identity() Identity {
	return Identity{RPID: e.RPID, UserName: e.UserName, ID: e.id, UserHandle: e.UserHandle}
}

func (e *entry) created() time.Time { return time.Unix(e.Created, 0) }

// contains tells whether ids has id.
func contains(ids [][]byte, id []byte) bool {
	return slices.ContainsFunc(ids, func(one []byte) bool { return bytes.Equal(one, id) })
}
