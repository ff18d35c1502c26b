package attacker

import (
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	if err := Refused("try", tpm2.TPMRCPolicyFail, tpm2.TPMRCPolicyFail); err != nil {
		t.Errorf("the promised refusal: %v", err)
	}
	if err := Refused("try", nil, tpm2.TPMRCPolicyFail); err == nil || !strings.Contains(err.Error(), "SUCCEEDED") {
		t.Errorf("an attack that succeeds: %v", err)
	}
	if err := Refused("try", tpm2.TPMRCHandle, tpm2.TPMRCPolicyFail); err == nil {
		t.Error("an attack that fails for another reason counts")
	}
}

func FuzzLoads(f *testing.F) {
	marshalled, err := tpm2.MarshalCommand(tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: SRK, Auth: tpm2.PasswordAuth(nil)},
		InPrivate:    tpm2.TPM2BPrivate{Buffer: []byte("private")},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic]([]byte("public")),
	})
	if err == nil {
		f.Add(marshalled)
	}
	command := []byte{
		0x80, 0x02, 0, 0, 0, 0, 0, 0, 1, 0x57, 0x81, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
		0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e',
	}
	f.Add(command)
	f.Add(command[:len(command)-1])
	if key, ok := loads(command); !ok || string(key.private) != "abc" || string(key.public) != "de" {
		f.Fatalf("%q %v", key, ok)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, ok := loads(b)
		if ok && 10+4+4+2+len(key.private)+2+len(key.public) > len(b) {
			t.Errorf("%d bytes out of %d", len(key.private)+len(key.public), len(b))
		}
	})
}
