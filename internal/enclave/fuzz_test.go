package enclave_test

import (
	"bytes"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
)

// FuzzHandle: any bytes for a handle are refused, or are one that was made: nothing
// is opened for others.
func FuzzHandle(f *testing.F) {
	chip := securitytest.New()
	keys := enclave.Keys{Security: chip, Protection: enclave.BiometryAny}
	key, err := keys.Create(f.Context(), spec(authenticator.SigningKey, authenticator.PresenceOnly, rpA))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key.Handle)
	f.Add(key.Handle[:100])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, handle []byte) {
		tried := *key
		tried.Handle = bytes.Clone(handle)
		p, err := keys.Prepare(t.Context(), &tried, nil)
		if err != nil {
			if ctap.StatusOf(err) != ctap.InvalidCredential {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if _, err := p.Sign(t.Context(), make([]byte, 32)); (err == nil) != bytes.Equal(handle, key.Handle) {
			t.Errorf("a handle of %d bytes: %v", len(handle), err)
		}
		if chip.Open() != 0 {
			t.Error("a key is still open")
		}
	})
}
