package appex

import (
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/provider"
)

func TestPreferences(t *testing.T) {
	t.Parallel()
	p := preferences{required: "R", preferred: "P", discouraged: "D"}
	for text, want := range map[string]provider.Preference{
		"R": provider.Required, "P": provider.Preferred, "D": provider.Discouraged, "": provider.Required, "x": provider.Required,
	} {
		if got := p.of(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := (preferences{}).of(""); got != provider.Required {
		t.Errorf("without any words: %q", got)
	}
}

func TestGuarded(t *testing.T) {
	t.Parallel()
	trouble := errors.New("trouble")
	if err := guarded(func() error { return trouble }); !errors.Is(err, trouble) {
		t.Errorf("an error became %v", err)
	}
	if err := guarded(func() error { return nil }); err != nil {
		t.Errorf("success became %v", err)
	}
	if err := guarded(func() error { panic("no view") }); err == nil || !strings.Contains(err.Error(), "no view") {
		t.Errorf("a panic became %v", err)
	}
}
