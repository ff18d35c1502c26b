package record

import (
	"encoding/binary"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store/seal"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// record is a credential as it is sealed into the file, without what each use
// changes. Created is in Unix nanoseconds, 0 for none.
type record struct {
	ID           []byte                   `cbor:"1,keyasint"`
	RP           ctap.RelyingParty        `cbor:"2,keyasint"`
	User         ctap.User                `cbor:"3,keyasint"`
	Kind         authenticator.KeyKind    `cbor:"4,keyasint"`
	Binding      authenticator.Binding    `cbor:"5,keyasint"`
	RPIDHash     [32]byte                 `cbor:"6,keyasint"`
	Handle       []byte                   `cbor:"7,keyasint,omitempty"`
	Public       *cose.Key                `cbor:"8,keyasint,omitempty"`
	MACWithUV    []byte                   `cbor:"9,keyasint,omitempty"`
	MACWithoutUV []byte                   `cbor:"10,keyasint,omitempty"`
	Discoverable bool                     `cbor:"11,keyasint,omitempty"`
	Protection   authenticator.Protection `cbor:"12,keyasint"`
	AAGUID       [16]byte                 `cbor:"13,keyasint"`
	Backup       webauthn.Flags           `cbor:"14,keyasint"`
	Created      int64                    `cbor:"15,keyasint"`
	Blob         []byte                   `cbor:"16,keyasint,omitempty"`
	LargeBlobKey []byte                   `cbor:"18,keyasint,omitempty"`
	Payment      bool                     `cbor:"17,keyasint,omitempty"`
	Hidden       bool                     `cbor:"19,keyasint,omitempty"`
}

// Encode gives what is sealed of c: all but what its uses change.
func Encode(c *authenticator.Credential) ([]byte, error) {
	r := record{
		ID: c.ID, RP: c.RP, User: c.User,
		Kind: c.Key.Kind, Binding: c.Key.Binding, RPIDHash: c.Key.RPIDHash, Handle: c.Key.Handle,
		MACWithUV: c.MACWithUV, MACWithoutUV: c.MACWithoutUV,
		Discoverable: c.Discoverable, Protection: c.Protection,
		AAGUID: c.AAGUID, Backup: c.Backup, Created: Nanoseconds(c.Created), Blob: c.Blob, Payment: c.ThirdPartyPayment, LargeBlobKey: c.LargeBlobKey,
		Hidden: c.Hidden,
	}
	if len(c.Key.Public.X) > 0 {
		r.Public = &c.Key.Public
	}
	return cbor.Marshal(r)
}

// Decode reads what Encode gave; its errors are *seal.IntegrityError.
func Decode(b []byte) (*authenticator.Credential, error) {
	var r record
	if err := cbor.Unmarshal(b, &r); err != nil {
		return nil, seal.Damage("a credential cannot be read: %w", err)
	}
	c := &authenticator.Credential{
		ID: r.ID, RP: r.RP, User: r.User,
		Key: authenticator.Key{
			KeySpec: authenticator.KeySpec{Kind: r.Kind, Binding: r.Binding, RPIDHash: r.RPIDHash},
			Handle:  r.Handle,
		},
		MACWithUV: r.MACWithUV, MACWithoutUV: r.MACWithoutUV,
		Discoverable: r.Discoverable, Protection: r.Protection,
		AAGUID: r.AAGUID, Backup: r.Backup, Created: Moment(r.Created),
		Blob: r.Blob, ThirdPartyPayment: r.Payment, LargeBlobKey: r.LargeBlobKey,
		Hidden: r.Hidden,
	}
	if r.Public != nil {
		c.Key.Public = *r.Public
		if r.Public.Algorithm != cose.ES256 {
			c.Key.Algorithm = r.Public.Algorithm
		}
	}
	return c, nil
}

// Counters is what each use of a credential changes.
type Counters struct {
	SignCount uint32
	Uses      uint64
	LastUsed  int64 // Unix nanoseconds, 0 for never
}

const countersBytes = 4 + 8 + 8

// Encode gives 20 bytes: sign count, uses, last use.
func (n Counters) Encode() []byte {
	out := make([]byte, 0, countersBytes)
	out = binary.BigEndian.AppendUint32(out, n.SignCount)
	out = binary.BigEndian.AppendUint64(out, n.Uses)
	return binary.BigEndian.AppendUint64(out, uint64(n.LastUsed)) //nolint:gosec // two's complement both ways
}

// DecodeCounters reads what Encode gave; its errors are *seal.IntegrityError.
func DecodeCounters(b []byte) (Counters, error) {
	if len(b) != countersBytes {
		return Counters{}, seal.Damage("counters of %d bytes", len(b))
	}
	return Counters{
		SignCount: binary.BigEndian.Uint32(b),
		Uses:      binary.BigEndian.Uint64(b[4:]),
		LastUsed:  int64(binary.BigEndian.Uint64(b[12:])), //nolint:gosec // two's complement both ways
	}, nil
}

// Merge gives the later of both: counters never fall, whoever wrote last.
func (n Counters) Merge(other Counters) Counters {
	return Counters{
		SignCount: max(n.SignCount, other.SignCount),
		Uses:      max(n.Uses, other.Uses),
		LastUsed:  max(n.LastUsed, other.LastUsed),
	}
}

// State is the account of all credentials and their counters.
type State struct {
	Credentials uint64
	Next        uint64 // the sequence number to be given next
	Tally       [32]byte
}

const stateBytes = 8 + 8 + 32

// Encode gives 48 bytes: credentials, next, tally.
func (s State) Encode() []byte {
	out := make([]byte, 0, stateBytes)
	out = binary.BigEndian.AppendUint64(out, s.Credentials)
	out = binary.BigEndian.AppendUint64(out, s.Next)
	return append(out, s.Tally[:]...)
}

// DecodeState reads what Encode gave; its errors are *seal.IntegrityError.
func DecodeState(b []byte) (State, error) {
	if len(b) != stateBytes {
		return State{}, seal.Damage("a state of %d bytes", len(b))
	}
	return State{
		Credentials: binary.BigEndian.Uint64(b),
		Next:        binary.BigEndian.Uint64(b[8:]),
		Tally:       [32]byte(b[16:]),
	}, nil
}

// SequenceBytes is how long an encoded sequence number is.
const SequenceBytes = 8

// EncodeSequence gives a sequence number its form, in which bytes are ordered as numbers are.
func EncodeSequence(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// DecodeSequence reads what EncodeSequence gave; its errors are *seal.IntegrityError.
func DecodeSequence(b []byte) (uint64, error) {
	if len(b) != SequenceBytes {
		return 0, seal.Damage("a sequence number of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// Nanoseconds is a time in Unix nanoseconds, 0 for none.
func Nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Moment is the time that Nanoseconds was given.
func Moment(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}
