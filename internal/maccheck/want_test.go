package maccheck

import (
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

func TestWant(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	if wantError(other) != nil || !errors.Is(wantError(nil), errWell) {
		t.Error("success and failure are mixed up")
	}
	refused := &ctap.Problem{Status: ctap.OperationDenied, What: "you refused"}
	if wantRefusal(refused) != nil || !errors.Is(wantRefusal(nil), errWell) || !errors.Is(wantRefusal(other), other) {
		t.Error("a refusal and another error are mixed up")
	}
}
