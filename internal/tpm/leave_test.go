package tpm

import (
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
)

// TestKeysCannotLeave: what the TPM itself says of a key, and what it answers to
// somebody who wants the key out of it.
func TestKeysCannotLeave(t *testing.T) {
	v := newVictim(t, startTPM(t))
	for name, key := range map[string]*authenticator.Key{"PIN-bound": v.bound, "presence-only": v.free} {
		v.raw(func(tpm transport.TPM) {
			loaded := v.load(tpm, key)
			public := must1[*tpm2.ReadPublicResponse](t)(tpm2.ReadPublic{ObjectHandle: loaded.Handle}.Execute(tpm))
			content := must1[*tpm2.TPMTPublic](t)(public.OutPublic.Contents())
			want := tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, NoDA: true, SignEncrypt: true}
			if content.ObjectAttributes != want {
				t.Errorf("%s: attributes %+v", name, content.ObjectAttributes)
			}
			if len(content.AuthPolicy.Buffer) != 32 {
				t.Errorf("%s: no policy", name)
			}
			session := v.policy(tpm)
			_, err := tpm2.PolicyCommandCode{PolicySession: session.Handle(), Code: tpm2.TPMCCDuplicate}.Execute(tpm)
			must(t, err)
			_, err = tpm2.Duplicate{
				ObjectHandle:    tpm2.AuthHandle{Handle: loaded.Handle, Name: loaded.Name, Auth: session},
				NewParentHandle: tpm2.NamedHandle{Handle: tpm2.TPMRHNull},
				Symmetric:       tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull},
			}.Execute(tpm)
			t.Logf("duplicate a %s key to nobody's protection: %v", name, err)
			if err == nil || errors.Is(err, tpm2.TPMRCCommandCode) {
				t.Errorf("%s: Duplicate was not refused for the key's sake: %v", name, err)
			}
		})
	}
}
