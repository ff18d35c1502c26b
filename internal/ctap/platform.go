package ctap

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Platform is the client's side of PIN/UV authentication (CTAP 2.3 §6.5.5): what
// a browser does with a PIN before it asks for a credential.
type Platform struct {
	Authenticator Authenticator
	Protocol      pinuv.Protocol
}

// paddedPINBytes is the length every new PIN is padded to (§6.5.5.5).
const paddedPINBytes = 64

// pinHashBytes is how much of SHA-256(PIN) is sent (§6.5.5.7.1).
const pinHashBytes = 16

// SetPIN sets the first PIN. pin is UTF-8, at most 63 bytes.
func (p Platform) SetPIN(ctx context.Context, pin secret.Bytes) error {
	return p.withShared(ctx, func(shared *pinuv.Shared, req *ClientPINRequest) error {
		enc, err := encryptPIN(shared, pin)
		if err != nil {
			return err
		}
		req.Subcommand, req.NewPINEnc, req.PINUVAuthParam = SetPIN, enc, shared.Authenticate(enc)
		_, err = p.Authenticator.ClientPIN(ctx, req)
		return err
	})
}

// ChangePIN replaces the PIN by knowing it.
func (p Platform) ChangePIN(ctx context.Context, from, to secret.Bytes) error {
	return p.withShared(ctx, func(shared *pinuv.Shared, req *ClientPINRequest) error {
		newPIN, err := encryptPIN(shared, to)
		if err != nil {
			return err
		}
		oldHash, err := encryptPINHash(shared, from)
		if err != nil {
			return err
		}
		both := append(append([]byte(nil), newPIN...), oldHash...)
		req.Subcommand, req.NewPINEnc, req.PINHashEnc = ChangePIN, newPIN, oldHash
		req.PINUVAuthParam = shared.Authenticate(both)
		_, err = p.Authenticator.ClientPIN(ctx, req)
		return err
	})
}

// TokenWithPIN gets a pinUvAuthToken for permissions, and for rpID where that is
// not empty, by the PIN (§6.5.5.7.2).
func (p Platform) TokenWithPIN(ctx context.Context, pin secret.Bytes, permissions Permission, rpID string) (pinuv.Token, error) {
	return p.token(ctx, rpID, func(shared *pinuv.Shared, req *ClientPINRequest) (err error) {
		req.Subcommand, req.Permissions = GetTokenPINPermissions, &permissions
		req.PINHashEnc, err = encryptPINHash(shared, pin)
		return err
	})
}

// TokenWithUV gets a pinUvAuthToken by the authenticator's own verification of
// the user (§6.5.5.7.3).
func (p Platform) TokenWithUV(ctx context.Context, permissions Permission, rpID string) (pinuv.Token, error) {
	return p.token(ctx, rpID, func(_ *pinuv.Shared, req *ClientPINRequest) error {
		req.Subcommand, req.Permissions = GetTokenUVPermissions, &permissions
		return nil
	})
}

// LegacyToken gets a token without stated permissions, as CTAP 2.0 clients do
// (§6.5.5.7.1).
func (p Platform) LegacyToken(ctx context.Context, pin secret.Bytes) (pinuv.Token, error) {
	return p.token(ctx, "", func(shared *pinuv.Shared, req *ClientPINRequest) (err error) {
		req.Subcommand = GetPINToken
		req.PINHashEnc, err = encryptPINHash(shared, pin)
		return err
	})
}

func (p Platform) token(ctx context.Context, rpID string, fill func(*pinuv.Shared, *ClientPINRequest) error) (token pinuv.Token, err error) {
	err = p.withShared(ctx, func(shared *pinuv.Shared, req *ClientPINRequest) error {
		req.RPID = rpID
		if err := fill(shared, req); err != nil {
			return err
		}
		response, err := p.Authenticator.ClientPIN(ctx, req)
		if err != nil {
			return err
		}
		plain, err := shared.Decrypt(response.PINUVAuthToken)
		if err != nil {
			return fmt.Errorf("pinUvAuthToken: %w", err)
		}
		token = pinuv.NewToken(p.Protocol, plain)
		return nil
	})
	return token, err
}

// withShared agrees on a key and calls do with it and a request that carries our
// half.
func (p Platform) withShared(ctx context.Context, do func(*pinuv.Shared, *ClientPINRequest) error) error {
	shared, req, err := p.Agree(ctx)
	if err != nil {
		return err
	}
	defer shared.Wipe()
	return do(shared, req)
}

// Agree makes a shared secret with the authenticator, for hmac-secret too. The
// request it returns carries our half of the agreement.
func (p Platform) Agree(ctx context.Context) (*pinuv.Shared, *ClientPINRequest, error) {
	theirs, err := p.Authenticator.ClientPIN(ctx, &ClientPINRequest{
		PINUVAuthProtocol: p.Protocol, Subcommand: GetKeyAgreement,
	})
	if err != nil {
		return nil, nil, err
	}
	if theirs.KeyAgreement == nil {
		return nil, nil, fmt.Errorf("no key agreement key in the answer: %w", MissingParameter)
	}
	ours, shared, err := pinuv.Encapsulate(p.Protocol, *theirs.KeyAgreement)
	if err != nil {
		return nil, nil, err
	}
	return shared, &ClientPINRequest{PINUVAuthProtocol: p.Protocol, KeyAgreement: &ours}, nil
}

// ManageCredentials makes a credentialManagement request of sub-command and
// params (nil for none), authenticated by token (CTAP 2.3 §6.8).
func ManageCredentials(ctx context.Context, a Authenticator, token pinuv.Token, sub CredentialSubcommand, params *CredentialManagementParams) (*CredentialManagementResponse, error) {
	req := &CredentialManagementRequest{Subcommand: sub, PINUVAuthProtocol: token.Protocol()}
	if params != nil {
		raw, err := cbor.Marshal(params)
		if err != nil {
			return nil, err
		}
		req.Params = raw
	}
	req.PINUVAuthParam = token.Authenticate(append([]byte{byte(sub)}, req.Params...))
	return a.CredentialManagement(ctx, req)
}

func encryptPIN(shared *pinuv.Shared, pin secret.Bytes) ([]byte, error) {
	if pin.Len() >= paddedPINBytes {
		return nil, PINPolicyViolation
	}
	padded := secret.Of(make([]byte, paddedPINBytes))
	defer padded.Wipe()
	copy(padded.Reveal(), pin.Reveal())
	return shared.Encrypt(padded.Reveal())
}

func encryptPINHash(shared *pinuv.Shared, pin secret.Bytes) ([]byte, error) {
	sum := sha256.Sum256(pin.Reveal())
	hash := secret.Of(sum[:])
	defer hash.Wipe()
	return shared.Encrypt(hash.Reveal()[:pinHashBytes])
}
