package webauthn_test

import (
	"bytes"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// FuzzDifferential: what we read as authenticator data, a relying party that was not written
// here reads as the same. It takes more than we do (longer forms, keys of other curves, bytes
// of extensions that are no map), so that only this direction can be held.
func FuzzDifferential(f *testing.F) {
	for _, v := range loadVectors(f).Vectors {
		f.Add([]byte(v.Authentication.AuthData))
		if object, err := webauthn.ParseAttestationObject(v.Registration.Object); err == nil {
			f.Add(object.AuthData)
		}
	}
	f.Add(append(make([]byte, 32), 0x80, 0, 0, 0, 0, 0xa1, 0x61, 'x', 0xf5))
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, err := webauthn.ParseAuthenticatorData(data)
		if err != nil {
			return
		}
		var theirs protocol.AuthenticatorData
		if err := theirs.Unmarshal(data); err != nil {
			t.Fatalf("%x: ours, and not theirs: %v", data, err)
		}
		same := bytes.Equal(theirs.RPIDHash, ours.RPIDHash[:]) && byte(theirs.Flags)&^0xC0 == byte(ours.Flags)&^0xC0 && theirs.Counter == ours.SignCount
		if ours.Attested != nil {
			same = same && bytes.Equal(theirs.AttData.AAGUID, ours.Attested.AAGUID[:]) && bytes.Equal(theirs.AttData.CredentialID, ours.Attested.CredentialID)
		}
		if theirs.Flags.HasAttestedCredentialData() != (ours.Attested != nil) || theirs.Flags.HasExtensions() != (ours.Extensions != nil) || !same {
			t.Fatalf("%x: ours %+v, theirs %+v", data, ours, theirs)
		}
	})
}
