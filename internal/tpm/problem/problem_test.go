package problem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string // in What; "" when the error passes as it is
	}{
		"integrity":       {fmt.Errorf("Load: %w", tpm2.TPMRCIntegrity+0x140), "another machine"}, // parameter 1
		"no such handle":  {tpm2.TPMRCHandle + 0x100, "storage key is gone"},
		"no such command": {fmt.Errorf("PolicyTicket: %w", tpm2.TPMRCCommandCode), "lacks a command"},
		"broken":          {fmt.Errorf("Sign: %w", tpm2.TPMRCFailure), "a fault in itself"},
		"busy":            {errors.Join(wire.ErrBusy, tpm2.TPMRCSessionMemory), "busy"},
		"no answer":       {io.ErrUnexpectedEOF, "does not answer"},
		"a TPM's refusal": {tpm2.TPMRCPolicyFail, ""},
		"a status":        {fmt.Errorf("x: %w", ctap.PINAuthInvalid), ""},
		"a problem":       {Ended(nil), "removed"},
		"cancelled":       {context.Canceled, ""},
		"too late":        {fmt.Errorf("x: %w", context.DeadlineExceeded), ""},
		"nothing":         {nil, ""},
	} {
		got := Explain(c.err)
		if !errors.Is(got, c.err) {
			t.Errorf("%s: the cause is lost: %v", name, got)
		}
		var p *ctap.Problem
		if !errors.As(got, &p) {
			if c.says != "" {
				t.Errorf("%s: no words: %v", name, got)
			}
			continue
		}
		if c.says == "" || !strings.Contains(p.What, c.says) || p.Hint == "" {
			t.Errorf("%s: %q, hint %q", name, p.What, p.Hint)
		}
	}
}

func TestOwnerRefusal(t *testing.T) {
	for rc, says := range map[tpm2.TPMRC]string{
		tpm2.TPMRCBadAuth + 0x900: "owner password", // session 1
		tpm2.TPMRCNVSpace:         "memory is full",
		tpm2.TPMRCFailure:         "",
	} {
		got := OwnerRefusal(fmt.Errorf("NV_DefineSpace: %w", rc))
		var p *ctap.Problem
		if errors.As(got, &p) != (says != "") || !errors.Is(got, rc) {
			t.Fatalf("%v: %v", rc, got)
		}
		if p != nil && (!strings.Contains(p.What, says) || p.Hint == "") {
			t.Errorf("%v: %q, hint %q", rc, p.What, p.Hint)
		}
	}
}
