package ctap_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// keeper is an authenticator's side of clientPIN, which decrypts and notes.
type keeper struct {
	scripted

	agreement *pinuv.KeyAgreement
	token     secret.Bytes
	newPIN    []byte // padded
	pinHash   []byte
	last      *ctap.ClientPINRequest
}

func (k *keeper) ClientPIN(_ context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	if req.Subcommand == ctap.GetKeyAgreement {
		public := k.agreement.PublicKey()
		return &ctap.ClientPINResponse{KeyAgreement: &public}, nil
	}
	k.last = req
	shared, err := k.agreement.Decapsulate(req.PINUVAuthProtocol, *req.KeyAgreement)
	if err != nil {
		return nil, err
	}
	if req.Subcommand == ctap.SetPIN || req.Subcommand == ctap.ChangePIN {
		if !shared.Verify(append(bytes.Clone(req.NewPINEnc), req.PINHashEnc...), req.PINUVAuthParam) {
			return nil, ctap.PINAuthInvalid
		}
		plain, err := shared.Decrypt(req.NewPINEnc)
		if err != nil {
			return nil, err
		}
		k.newPIN = plain.Reveal()
	}
	if len(req.PINHashEnc) > 0 {
		plain, err := shared.Decrypt(req.PINHashEnc)
		if err != nil {
			return nil, err
		}
		k.pinHash = plain.Reveal()
	}
	if req.Subcommand == ctap.SetPIN || req.Subcommand == ctap.ChangePIN {
		return &ctap.ClientPINResponse{}, nil
	}
	enc, err := shared.Encrypt(k.token.Reveal())
	return &ctap.ClientPINResponse{PINUVAuthToken: enc}, err
}

func newKeeper(t *testing.T, p pinuv.Protocol) (*keeper, ctap.Platform) {
	t.Helper()
	agreement, err := pinuv.NewKeyAgreement()
	check(t, err)
	k := &keeper{agreement: agreement, token: secret.Random(32)}
	// Through bytes and back, as every platform but our own.
	return k, ctap.Platform{Authenticator: ctap.NewClient(&wire{authenticator: k}), Protocol: p}
}

func pin(s string) secret.Bytes { return secret.Of([]byte(s)) }

func hashOf(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:16]
}

func TestPlatform(t *testing.T) {
	for _, p := range []pinuv.Protocol{pinuv.One, pinuv.Two} {
		k, platform := newKeeper(t, p)

		check(t, platform.SetPIN(t.Context(), pin("päss")))
		if want := append([]byte("p\xc3\xa4ss"), make([]byte, 59)...); !bytes.Equal(k.newPIN, want) {
			t.Errorf("setPIN sends %q", k.newPIN)
		}
		check(t, platform.ChangePIN(t.Context(), pin("old one"), pin("new one")))
		if !bytes.Equal(bytes.TrimRight(k.newPIN, "\x00"), []byte("new one")) || !bytes.Equal(k.pinHash, hashOf("old one")) {
			t.Errorf("changePIN sends %q for % x", k.newPIN, k.pinHash)
		}

		type get func() (pinuv.Token, error)
		for name, c := range map[string]struct {
			get
			sub         ctap.PINSubcommand
			permissions ctap.Permission
			rpID        string
			hash        []byte
		}{
			"PIN": {func() (pinuv.Token, error) {
				return platform.TokenWithPIN(t.Context(), pin("1234"), ctap.PermissionMakeCredential, "a.example")
			}, 0x09, 0x01, "a.example", hashOf("1234")},
			"UV": {func() (pinuv.Token, error) {
				return platform.TokenWithUV(t.Context(), ctap.PermissionGetAssertion, "b.example")
			}, 0x06, 0x02, "b.example", nil},
			"legacy": {func() (pinuv.Token, error) {
				return platform.LegacyToken(t.Context(), pin("4321"))
			}, 0x05, 0, "", hashOf("4321")},
		} {
			k.pinHash = nil
			token, err := c.get()
			check(t, err)
			if token.Protocol() != p || !token.Secret().Equal(k.token) {
				t.Errorf("%s: another token", name)
			}
			var permissions ctap.Permission
			if k.last.Permissions != nil {
				permissions = *k.last.Permissions
			}
			if k.last.Subcommand != c.sub || permissions != c.permissions || k.last.RPID != c.rpID || !bytes.Equal(k.pinHash, c.hash) {
				t.Errorf("%s: sends %+v, hash % x", name, k.last, k.pinHash)
			}
		}
	}
}

func TestPlatformRefusals(t *testing.T) {
	_, platform := newKeeper(t, pinuv.Two)
	if err := platform.SetPIN(t.Context(), secret.Of(make([]byte, 64))); !errors.Is(err, ctap.PINPolicyViolation) {
		t.Errorf("a PIN of 64 bytes: %v", err)
	}
	check(t, platform.SetPIN(t.Context(), secret.Of(bytes.Repeat([]byte("x"), 63))))
	silent := ctap.Platform{Authenticator: ctap.NewClient(&wire{authenticator: &scripted{}}), Protocol: pinuv.Two}
	if _, err := silent.TokenWithUV(t.Context(), 1, ""); !errors.Is(err, ctap.MissingParameter) {
		t.Errorf("no key agreement key: %v", err)
	}
	unplugged := errors.New("unplugged")
	gone := ctap.Platform{Authenticator: ctap.NewClient(answers{err: unplugged}), Protocol: pinuv.Two}
	if err := gone.SetPIN(t.Context(), pin("1234")); !errors.Is(err, unplugged) {
		t.Errorf("no authenticator: %v", err)
	}
}

// TestManageCredentials holds that the MAC is over sub-command ‖ parameters, as
// they are sent (CTAP 2.3 §6.8).
func TestManageCredentials(t *testing.T) {
	s := &scripted{}
	a := ctap.NewClient(&wire{authenticator: s})
	token := pinuv.RandomToken(pinuv.Two)
	for _, params := range []*ctap.CredentialManagementParams{
		nil, {Credential: &ctap.Descriptor{ID: []byte{1}, Type: ctap.PublicKeyType}},
	} {
		_, err := ctap.ManageCredentials(t.Context(), a, token, ctap.DeleteCredential, params)
		check(t, err)
		req := s.request.(*ctap.CredentialManagementRequest)
		if !token.Verify(append([]byte{0x06}, req.Params...), req.PINUVAuthParam) || req.PINUVAuthProtocol != pinuv.Two {
			t.Errorf("%+v is not authenticated", req)
		}
		if (params == nil) != (req.Params == nil) {
			t.Errorf("parameters % x for %+v", req.Params, params)
		}
	}
}
