package policy

import (
	"bytes"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// TestAsGoTPM computes every step a second time, with go-tpm's calculator.
func TestAsGoTPM(t *testing.T) {
	public := tpm2.TPMSNVPublic{NVIndex: 0x01810000, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8}
	name, err := tpm2.NVName(&public)
	if err != nil {
		t.Fatal(err)
	}
	index := tpm2.NamedHandle{Handle: public.NVIndex, Name: *name}
	if got := Name(tpm2.Marshal(public)); !bytes.Equal(got.Buffer, name.Buffer) || len(got.Buffer) != NameBytes {
		t.Errorf("name %x, go-tpm says %x", got.Buffer, name.Buffer)
	}
	ref, limit := []byte("a relying party"), []byte{0, 0, 0, 8}
	secret := tpm2.PolicySecret{AuthHandle: index, PolicyRef: tpm2.TPM2BNonce{Buffer: ref}}
	bare := tpm2.PolicySecret{AuthHandle: index}
	command := tpm2.PolicyCommandCode{Code: tpm2.TPMCCNVWrite}
	nv := tpm2.PolicyNV{NVIndex: index, OperandB: tpm2.TPM2BOperand{Buffer: limit}, Offset: 4, Operation: tpm2.TPMEOEq}
	for what, c := range map[string]struct {
		got  Digest
		want []tpm2.PolicyCommand
	}{
		"secret":             {Digest{}.Secret(*name, ref), []tpm2.PolicyCommand{secret}},
		"secret without ref": {Digest{}.Secret(*name, nil), []tpm2.PolicyCommand{bare}},
		"command":            {Digest{}.Command(tpm2.TPMCCNVWrite), []tpm2.PolicyCommand{command}},
		"both":               {Digest{}.Secret(*name, nil).Command(tpm2.TPMCCNVWrite), []tpm2.PolicyCommand{bare, command}},
		"index":              {Digest{}.NVEquals(*name, 4, limit), []tpm2.PolicyCommand{nv}},
		"authorized":         {Authorized(*name), []tpm2.PolicyCommand{tpm2.PolicyAuthorize{KeySign: *name}}},
	} {
		calculator, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
		if err != nil {
			t.Fatal(err)
		}
		for _, cmd := range c.want {
			if err := cmd.Update(calculator); err != nil {
				t.Fatal(err)
			}
		}
		if want := Digest(calculator.Hash().Digest); c.got != want {
			t.Errorf("%s: %x, go-tpm says %x", what, c.got, want)
		}
	}
}
