package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Ours: what a list is called, and bounds of one.
const (
	format       = "localpasskey inventory"
	version      = 1
	maxBytes     = 64 << 20
	maxPasskeys  = 100_000
	maxText      = 300 // bytes of a service or a name
	accountBytes = 16
)

// List is what one device has.
type List struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	Device   string    `json:"device"`
	Exported time.Time `json:"exported"`
	Passkeys []Passkey `json:"passkeys"`
}

// Passkey is one account's. Account tells accounts of a service apart without naming
// them, and is the same on every device; a name can be changed on each.
type Passkey struct {
	Service  string     `json:"service"`
	UserName string     `json:"user_name"`
	Account  string     `json:"account"`
	Created  time.Time  `json:"created"`
	LastUsed *time.Time `json:"last_used"`
}

// Of makes the list of a device.
func Of(device string, all []ctap.Passkey, now time.Time) *List {
	l := &List{Format: format, Version: version, Device: device, Exported: now.UTC().Truncate(time.Second), Passkeys: []Passkey{}}
	for _, p := range all {
		if p.Hidden {
			continue // its service may not know it any more: nobody should rely on it
		}
		entry := Passkey{
			Service: p.RPID, UserName: p.User.Name, Account: account(p.RPID, p.User.ID),
			Created: time.Unix(p.Created, 0).UTC(),
		}
		if p.LastUsed != 0 {
			used := time.Unix(p.LastUsed, 0).UTC()
			entry.LastUsed = &used
		}
		l.Passkeys = append(l.Passkeys, entry)
	}
	return l
}

// account is a hash of the user handle, which the service gives each account.
func account(rpID string, handle []byte) string {
	sum := sha256.Sum256(append([]byte(format+"\x00"+rpID+"\x00"), handle...))
	return hex.EncodeToString(sum[:accountBytes])
}

// Decode reads a list, strictly: a file that says more than we know of, or less, is
// not compared as if it were understood.
func Decode(r io.Reader) (*List, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxBytes {
		return nil, errors.New("it is too large")
	}
	if !utf8.Valid(b) {
		return nil, errors.New("it is not text")
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var l List
	if err := decoder.Decode(&l); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list")
	}
	return &l, l.check()
}

func (l *List) check() error {
	switch {
	case l.Format != format:
		return errors.New("it is not an inventory of LocalPasskey")
	case l.Version != version:
		return fmt.Errorf("it has version %d, and this program reads version %d only", l.Version, version)
	case l.Passkeys == nil:
		return errors.New("it lists nothing")
	case len(l.Passkeys) > maxPasskeys, len(l.Device) > maxText:
		return errors.New("it is too large")
	}
	for i, p := range l.Passkeys {
		if err := p.check(); err != nil {
			return fmt.Errorf("passkey %d: %w", i+1, err)
		}
	}
	return nil
}

func (p *Passkey) check() error {
	id, err := hex.DecodeString(p.Account)
	switch {
	case p.Service == "", len(p.Service) > maxText, len(p.UserName) > maxText:
		return errors.New("a name is missing or too long")
	case err != nil, len(id) != accountBytes, hex.EncodeToString(id) != p.Account:
		return errors.New("the account is not what one looks like")
	case p.Created.IsZero():
		return errors.New("it was never created")
	}
	return nil
}
