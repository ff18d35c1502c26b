//go:build e2e && linux

package browser_test

import (
	"encoding/hex"
	"strings"
	"testing"
)

// inputs are those of extensions. Bytes are texts, see hexed.
type inputs map[string]any

// outputs are those of extensions that are looked at here.
type outputs struct {
	PRF *struct {
		Enabled bool
		Results struct{ First, Second string }
	}
	LargeBlob *struct {
		Supported, Written bool
		Blob               string
	}
}

// hexed is how ceremony.js takes and gives bytes.
func hexed(text string) string { return "hex:" + hex.EncodeToString([]byte(text)) }

// extensions are the trials with what sites ask beyond a signature. Each has an account
// of its own.
func extensions() []trial {
	return []trial{
		{"gets secrets (PRF)", getsSecrets},
		{"keeps something beside a passkey (largeBlob)", keepsBlob},
	}
}

// prf asks for the secrets that belong to salts.
func prf(salts ...string) inputs {
	eval := map[string]string{"first": hexed(salts[0])}
	if len(salts) > 1 {
		eval["second"] = hexed(salts[1])
	}
	return inputs{"prf": map[string]any{"eval": eval}}
}

// One salt gives one secret, each time, from registration on where the browser gets it then.
func getsSecrets(t *testing.T, v *visitor) {
	account := strings.ToLower(v.name) + "-vault"
	made := v.beginWith(t, "register", query{"account": account, "attestation": "none"}, prf("salt")).end(t)
	v.wantRegistered(t, account, "none", made)
	if made.Outputs.PRF == nil || !made.Outputs.PRF.Enabled {
		t.Fatalf("PRF is not there: %+v", made.Outputs)
	}
	secrets := func(salts ...string) (first, second string) {
		t.Helper()
		got := v.beginWith(t, "signIn", query{"account": account}, prf(salts...)).end(t)
		v.wantSignedIn(t, account, "none", got)
		if got.Outputs.PRF == nil || len(got.Outputs.PRF.Results.First) != len("hex:")+64 {
			t.Fatalf("no secret of 32 bytes: %+v", got.Outputs)
		}
		return got.Outputs.PRF.Results.First, got.Outputs.PRF.Results.Second
	}
	one, other := secrets("salt", "pepper")
	again, none := secrets("salt")
	swapped, _ := secrets("pepper")
	if one != again || other != swapped || one == other || none != "" {
		t.Error("the secrets do not follow the salts")
	}
	early := made.Outputs.PRF.Results.First
	if early != "" && early != one {
		t.Error("registration gave another secret than the sign-in")
	}
	t.Logf("a secret at registration already: %t", early != "")
}

// What is written is read again, where the browser has the extension.
func keepsBlob(t *testing.T, v *visitor) {
	account := strings.ToLower(v.name) + "-blob"
	made := v.beginWith(t, "register", query{"account": account, "attestation": "none"},
		inputs{"largeBlob": map[string]any{"support": "preferred"}}).end(t)
	v.wantRegistered(t, account, "none", made)
	if v.name == "Firefox" {
		if made.Outputs.LargeBlob != nil {
			t.Error("Firefox knows largeBlob now: try it as Chromium does")
		}
		return
	}
	if made.Outputs.LargeBlob == nil || !made.Outputs.LargeBlob.Supported {
		t.Fatalf("largeBlob is not there: %+v", made.Outputs)
	}
	const content = "a certificate"
	blob := func(input map[string]any) outputs {
		t.Helper()
		got := v.beginWith(t, "signIn", query{"account": account}, inputs{"largeBlob": input}).end(t)
		v.wantSignedIn(t, account, "none", got)
		if got.Outputs.LargeBlob == nil {
			t.Fatalf("no answer about the blob: %+v", got.Outputs)
		}
		return got.Outputs
	}
	if got := blob(map[string]any{"write": hexed(content)}); !got.LargeBlob.Written {
		t.Error("the blob was not written")
	}
	if got := blob(map[string]any{"read": true}); got.LargeBlob.Blob != hexed(content) {
		t.Errorf("read %q", got.LargeBlob.Blob)
	}
}
