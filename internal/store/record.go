package store

import (
	"encoding/binary"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
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

func encodeRecord(c *authenticator.Credential) ([]byte, error) {
	r := record{
		ID: c.ID, RP: c.RP, User: c.User,
		Kind: c.Key.Kind, Binding: c.Key.Binding, RPIDHash: c.Key.RPIDHash, Handle: c.Key.Handle,
		MACWithUV: c.MACWithUV, MACWithoutUV: c.MACWithoutUV,
		Discoverable: c.Discoverable, Protection: c.Protection,
		AAGUID: c.AAGUID, Backup: c.Backup, Created: nanoseconds(c.Created), Blob: c.Blob, Payment: c.ThirdPartyPayment, LargeBlobKey: c.LargeBlobKey,
		Hidden: c.Hidden,
	}
	if len(c.Key.Public.X) > 0 {
		r.Public = &c.Key.Public
	}
	return cbor.Marshal(r)
}

func decodeRecord(b []byte) (*authenticator.Credential, error) {
	var r record
	if err := cbor.Unmarshal(b, &r); err != nil {
		return nil, damage("a credential cannot be read: %w", err)
	}
	c := &authenticator.Credential{
		ID: r.ID, RP: r.RP, User: r.User,
		Key: authenticator.Key{
			KeySpec: authenticator.KeySpec{Kind: r.Kind, Binding: r.Binding, RPIDHash: r.RPIDHash},
			Handle:  r.Handle,
		},
		MACWithUV: r.MACWithUV, MACWithoutUV: r.MACWithoutUV,
		Discoverable: r.Discoverable, Protection: r.Protection,
		AAGUID: r.AAGUID, Backup: r.Backup, Created: moment(r.Created),
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

// counters is what each use of a credential changes. LastUsed is in Unix
// nanoseconds, 0 for never.
type counters struct {
	signCount uint32
	uses      uint64
	lastUsed  int64
}

const countersBytes = 4 + 8 + 8

func (n counters) encode() []byte {
	out := make([]byte, 0, countersBytes)
	out = binary.BigEndian.AppendUint32(out, n.signCount)
	out = binary.BigEndian.AppendUint64(out, n.uses)
	return binary.BigEndian.AppendUint64(out, uint64(n.lastUsed)) //nolint:gosec // two's complement both ways
}

func decodeCounters(b []byte) (counters, error) {
	if len(b) != countersBytes {
		return counters{}, damage("counters of %d bytes", len(b))
	}
	return counters{
		signCount: binary.BigEndian.Uint32(b),
		uses:      binary.BigEndian.Uint64(b[4:]),
		lastUsed:  int64(binary.BigEndian.Uint64(b[12:])), //nolint:gosec // two's complement both ways
	}, nil
}

// merge gives the later of both: counters never fall, whoever wrote last.
func (n counters) merge(other counters) counters {
	return counters{
		signCount: max(n.signCount, other.signCount),
		uses:      max(n.uses, other.uses),
		lastUsed:  max(n.lastUsed, other.lastUsed),
	}
}

// state is the sealed account of the data buckets.
type state struct {
	credentials uint64
	next        uint64 // the sequence number to be given next
	tally       [32]byte
}

const stateBytes = 8 + 8 + 32

func (s state) encode() []byte {
	out := make([]byte, 0, stateBytes)
	out = binary.BigEndian.AppendUint64(out, s.credentials)
	out = binary.BigEndian.AppendUint64(out, s.next)
	return append(out, s.tally[:]...)
}

func decodeState(b []byte) (state, error) {
	if len(b) != stateBytes {
		return state{}, damage("a state of %d bytes", len(b))
	}
	return state{
		credentials: binary.BigEndian.Uint64(b),
		next:        binary.BigEndian.Uint64(b[8:]),
		tally:       [32]byte(b[16:]),
	}, nil
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}
