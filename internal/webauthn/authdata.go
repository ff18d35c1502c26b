package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// ErrMalformed is the answer to bytes or values that are no structure of
// WebAuthn. Errors of cbor and cose come through as they are.
var ErrMalformed = errors.New("malformed WebAuthn structure")

// AAGUID names an authenticator's model (WebAuthn L3 §6.1). Zeroes are none.
type AAGUID [16]byte

// String gives the form of a UUID.
func (a AAGUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", a[0:4], a[4:6], a[6:8], a[8:10], a[10:16])
}

// Flags are the flags of authenticator data.
type Flags byte

// From the specification: WebAuthn L3 §6.1.
const (
	FlagUP Flags = 0x01 // user present
	FlagUV Flags = 0x04 // user verified
	FlagBE Flags = 0x08 // backup eligible
	FlagBS Flags = 0x10 // backed up
	FlagAT Flags = 0x40 // attested credential data included
	FlagED Flags = 0x80 // extension data included
)

const knownFlags = FlagUP | FlagUV | FlagBE | FlagBS | FlagAT | FlagED

// From the specification: WebAuthn L3 §6.1 and §6.5.1, lengths in bytes.
const (
	headBytes            = sha256.Size + 1 + 4
	maxCredentialIDBytes = 1023 // also the least that relying parties must store
)

// RPIDHash is how authenticator data names a relying party.
func RPIDHash(rpID string) [32]byte { return sha256.Sum256([]byte(rpID)) }

// AuthenticatorData is what an authenticator signs (WebAuthn L3 §6.1). Attested
// and Extensions are nil where there are none; Extensions is a CBOR map.
type AuthenticatorData struct {
	RPIDHash   [32]byte
	Flags      Flags
	SignCount  uint32
	Attested   *AttestedCredential
	Extensions cbor.Raw
}

// AttestedCredential is attested credential data (WebAuthn L3 §6.5.1).
// CredentialID has 1–1023 bytes.
type AttestedCredential struct {
	AAGUID       AAGUID
	CredentialID []byte
	PublicKey    cose.Key
}

// Marshal gives the byte form. Whether FlagAT and FlagED are set depends on the
// content alone. Errors are ErrMalformed for what may not be said, and those of
// cbor and cose.
func (d AuthenticatorData) Marshal() ([]byte, error) {
	d.Flags &^= FlagAT | FlagED
	if d.Attested != nil {
		d.Flags |= FlagAT
	}
	if len(d.Extensions) != 0 {
		d.Flags |= FlagED
	}
	if err := d.Flags.check(); err != nil {
		return nil, err
	}
	out := bytes.Clone(d.RPIDHash[:])
	out = append(out, byte(d.Flags))
	out = binary.BigEndian.AppendUint32(out, d.SignCount)
	if d.Attested != nil {
		var err error
		if out, err = d.Attested.append(out); err != nil {
			return nil, err
		}
	}
	if len(d.Extensions) != 0 {
		if err := checkExtensions(d.Extensions); err != nil {
			return nil, err
		}
		out = append(out, d.Extensions...)
	}
	return out, nil
}

func (c *AttestedCredential) append(out []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	key, err := cbor.Marshal(c.PublicKey)
	if err != nil {
		return nil, err
	}
	out = append(out, c.AAGUID[:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(c.CredentialID))) //nolint:gosec // check: at most 1023
	out = append(out, c.CredentialID...)
	return append(out, key...), nil
}

// ParseAuthenticatorData reads the byte form, all of it. The result shares no
// memory with data. Errors are ErrMalformed, and those of cbor and cose for the
// key and the extensions.
func ParseAuthenticatorData(data []byte) (AuthenticatorData, error) {
	if len(data) < headBytes {
		return AuthenticatorData{}, fmt.Errorf("%w: authenticator data of %d bytes", ErrMalformed, len(data))
	}
	d := AuthenticatorData{
		RPIDHash:  [32]byte(data),
		Flags:     Flags(data[sha256.Size]),
		SignCount: binary.BigEndian.Uint32(data[sha256.Size+1:]),
	}
	if err := d.Flags.check(); err != nil {
		return AuthenticatorData{}, err
	}
	rest := data[headBytes:]
	if d.Flags&FlagAT != 0 {
		var err error
		if d.Attested, rest, err = parseAttested(rest); err != nil {
			return AuthenticatorData{}, err
		}
	}
	if d.Flags&FlagED != 0 {
		if err := checkExtensions(rest); err != nil {
			return AuthenticatorData{}, err
		}
		d.Extensions, rest = bytes.Clone(rest), nil
	}
	if len(rest) != 0 {
		return AuthenticatorData{}, fmt.Errorf("%w: %d bytes after authenticator data", ErrMalformed, len(rest))
	}
	return d, nil
}

// parseAttested splits attested credential data off the front of data.
func parseAttested(data []byte) (*AttestedCredential, []byte, error) {
	c := new(AttestedCredential)
	const fixedBytes = len(c.AAGUID) + 2
	if len(data) < fixedBytes {
		return nil, nil, fmt.Errorf("%w: attested credential data of %d bytes", ErrMalformed, len(data))
	}
	c.AAGUID = AAGUID(data)
	idBytes := int(binary.BigEndian.Uint16(data[len(c.AAGUID):]))
	rest := data[fixedBytes:]
	if idBytes > len(rest) {
		return nil, nil, fmt.Errorf("%w: credential ID of %d bytes in %d", ErrMalformed, idBytes, len(rest))
	}
	c.CredentialID = bytes.Clone(rest[:idBytes])
	key, rest, err := cbor.First(rest[idBytes:])
	if err != nil {
		return nil, nil, err
	}
	if err := cbor.Unmarshal(key, &c.PublicKey); err != nil {
		return nil, nil, err
	}
	return c, rest, c.check()
}

func (c *AttestedCredential) check() error {
	if n := len(c.CredentialID); n == 0 || n > maxCredentialIDBytes {
		return fmt.Errorf("%w: credential ID of %d bytes", ErrMalformed, n)
	}
	// A key agreement key is a well-formed key and no credential.
	_, err := c.PublicKey.ECDSA()
	return err
}

func (f Flags) check() error {
	if f&^knownFlags != 0 {
		return fmt.Errorf("%w: reserved flags in %#02x", ErrMalformed, byte(f))
	}
	if f&FlagBS != 0 && f&FlagBE == 0 {
		return fmt.Errorf("%w: backed up but not backup eligible", ErrMalformed)
	}
	return nil
}

func checkExtensions(data cbor.Raw) error {
	var outputs map[string]cbor.Raw
	return cbor.Unmarshal(data, &outputs)
}
