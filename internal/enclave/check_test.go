package enclave_test

import (
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if c := enclave.Check(r.chip); !c.Enclave || c.Problem != nil {
		t.Errorf("a Mac with an enclave: %+v", c)
	}
	r.chip.NoEnclave = true
	c := enclave.Check(r.chip)
	if p, ok := errors.AsType[*ctap.Problem](c.Problem); c.Enclave || !ok || p.Hint == "" {
		t.Errorf("a Mac without: %+v", c)
	}
}
