package webauthn_test

import (
	"encoding/json"
	"testing"

	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func TestBase64URL(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(webauthn.Base64URL{0xFB, 0xFF, 0x00})
	if err != nil || string(encoded) != `"-_8A"` {
		t.Errorf("%s, %v", encoded, err)
	}
	for text, ok := range map[string]bool{`"-_8A"`: true, `"-_8"`: true, `"-_9"`: false, `"+/8A"`: false, `"-_8A="`: false, `"a"`: false} {
		var b webauthn.Base64URL
		if err := json.Unmarshal([]byte(text), &b); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
