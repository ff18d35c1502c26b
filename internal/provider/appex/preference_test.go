package appex

import (
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
