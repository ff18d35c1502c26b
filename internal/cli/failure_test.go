package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// The exit codes are a promise to scripts.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code int
	}{
		{ctap.PINInvalid, 6},
		{ctap.PINBlocked, 6},
		{ctap.PINAuthBlocked, 6},
		{ctap.UVBlocked, 6},
		{ctap.PINNotSet, 1},
		{ctap.PINPolicyViolation, 1},
		{ctap.NoCredentials, 3},
		{ctap.OperationDenied, 4},
		{ctap.UserActionTimeout, 4},
		{ctap.KeepaliveCancel, 4},
		{ctap.NotAllowed, 5},
		{ctap.Other, 1},
		{fmt.Errorf("asking: %w", ctap.PINInvalid), 6},
		{&ctap.Problem{Status: ctap.Other, What: "no TPM"}, 5},
		{&ctap.Problem{Status: ctap.PINInvalid, What: "a problem goes before its status"}, 5},
		{context.Canceled, 4},
		{errors.Join(errRefused, errors.New("closing")), 4},
		{prompt.ErrNoAnswer, 4},
		{usageError("what", "hint"), 2},
		{errors.New("anything else"), 1},
	} {
		if f := new(Program).begin().explain(c.err); f.code != c.code || f.what == "" {
			t.Errorf("%v: exit code %d, %q; want %d", c.err, f.code, f.what, c.code)
		}
	}
}

// A daemon that is not ours can choose these words.
func TestFailuresAreLegible(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	new(Program).begin().explain(&ctap.Problem{What: "a\x1b[2J\nlocalpasskey: b", Hint: "c\u202ed\r"}).print(&out)
	if want := "localpasskey: a[2J localpasskey: b\nhint: cd\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
