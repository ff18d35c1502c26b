package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
)

// prefixValue begins the head's entries for values.
const prefixValue = "value "

// sealed gives an entry of the head, nil where there is none.
func (s *Store) sealed(entry string) (plain []byte, err error) {
	err = s.read(func(t *table) error {
		sealed := t.head.Get([]byte(entry))
		if sealed == nil {
			return nil
		}
		opened, err := t.keys.Open(bucketHead, []byte(entry), sealed)
		plain = opened.Reveal()
		return err
	})
	return plain, err
}

func (s *Store) putSealed(entry string, plain []byte) error {
	return s.write(func(t *table) error {
		return t.head.Put([]byte(entry), t.keys.Seal(bucketHead, []byte(entry), plain))
	})
}

// Value gives what was put under name, nil for nothing.
func (s *Store) Value(name string) ([]byte, error) { return s.sealed(prefixValue + name) }

// PutValue replaces what is under name. A reset removes it.
func (s *Store) PutValue(name string, value []byte) error {
	return s.putSealed(prefixValue+name, value)
}

func dropValues(head *bbolt.Bucket) error {
	c, prefix := head.Cursor(), []byte(prefixValue)
	for entry, _ := c.Seek(prefix); bytes.HasPrefix(entry, prefix); entry, _ = c.Seek(prefix) {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// Settings gives the settings, the default ones where none were put.
func (s *Store) Settings() (authenticator.Settings, error) {
	settings := authenticator.DefaultSettings()
	plain, err := s.sealed(entrySettings)
	if err != nil || plain == nil {
		return settings, err
	}
	settings = authenticator.Settings{}
	if err := cbor.Unmarshal(plain, &settings); err != nil {
		return settings, s.explain(damage("the settings cannot be read: %w", err))
	}
	return settings, nil
}

// PutSettings replaces the settings.
func (s *Store) PutSettings(settings authenticator.Settings) error {
	plain, err := cbor.Marshal(settings)
	if err != nil {
		return err
	}
	return s.putSealed(entrySettings, plain)
}
