package consent

import (
	"bytes"
	"context"
	"errors"
	"unicode/utf8"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// grantable are the permissions a token can have here.
const grantable = usePermissions | ctap.PermissionCredentialManagement | ctap.PermissionConfiguration |
	ctap.PermissionLargeBlobWrite | ctap.PermissionPersistentReadOnly

// ClientPIN is authenticatorClientPIN (CTAP 2.3 §6.5.5).
func (g *Gate) ClientPIN(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	switch req.Subcommand {
	case ctap.GetPINRetries:
		return g.pinRetries(ctx)
	case ctap.GetUVRetries:
		return g.uvRetries(ctx)
	case ctap.GetKeyAgreement:
		return g.keyAgreement(req)
	case ctap.SetPIN:
		return nil, g.setPIN(ctx, req)
	case ctap.ChangePIN:
		return nil, g.changePIN(ctx, req)
	case ctap.GetPINToken:
		return g.pinToken(ctx, req)
	case ctap.GetTokenUVPermissions:
		return g.tokenByUV(ctx, req)
	case ctap.GetTokenPINPermissions:
		return g.tokenByPIN(ctx, req)
	case 0:
		return nil, ctap.MissingParameter
	default:
		return nil, ctap.InvalidSubcommand
	}
}

// pinRetries is getPINRetries (§6.5.5.2).
func (g *Gate) pinRetries(ctx context.Context) (*ctap.ClientPINResponse, error) {
	retries, err := g.retries(ctx)
	if err != nil {
		return nil, err
	}
	again := g.Reinsert()
	return &ctap.ClientPINResponse{PINRetries: &retries, PowerCycleState: &again}, nil
}

func (g *Gate) retries(ctx context.Context) (uint, error) {
	if !g.PIN.IsSet() {
		return maxPINRetries, nil
	}
	n, err := g.PIN.Retries(ctx)
	return uint(max(n, 0)), err
}

// uvRetries is getUVRetries (§6.5.5.3): our prompt takes the PIN, so the tries
// are the PIN's, and at most what is left in a row.
func (g *Gate) uvRetries(ctx context.Context) (*ctap.ClientPINResponse, error) {
	if g.BuiltInUV == nil {
		return nil, ctap.InvalidSubcommand
	}
	retries, err := g.retries(ctx)
	if err != nil {
		return nil, err
	}
	row := max(0, maxWrongInARow-g.wrongInARow.Load())
	retries = min(retries, uint(row))
	return &ctap.ClientPINResponse{UVRetries: &retries}, nil
}

// keyAgreement is getKeyAgreement (§6.5.5.4).
func (g *Gate) keyAgreement(req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	if err := ctap.CheckProtocol(req.PINUVAuthProtocol); err != nil {
		return nil, err
	}
	key := g.agreement.PublicKey()
	return &ctap.ClientPINResponse{KeyAgreement: &key}, nil
}

// agree makes the shared secret with the platform.
func (g *Gate) agree(req *ctap.ClientPINRequest) (*pinuv.Shared, error) {
	if err := ctap.CheckProtocol(req.PINUVAuthProtocol); err != nil {
		return nil, err
	}
	if req.KeyAgreement == nil {
		return nil, ctap.MissingParameter
	}
	return g.Decapsulate(req.PINUVAuthProtocol, *req.KeyAgreement)
}

// Decapsulate makes the shared secret with a platform's key, for hmac-secret too.
func (g *Gate) Decapsulate(p pinuv.Protocol, peer cose.Key) (*pinuv.Shared, error) {
	shared, err := g.agreement.Decapsulate(p, peer)
	if err != nil {
		return nil, ctap.InvalidParameter
	}
	return shared, nil
}

// setPIN is §6.5.5.5.
func (g *Gate) setPIN(ctx context.Context, req *ctap.ClientPINRequest) error {
	if req.NewPINEnc == nil || req.PINUVAuthParam == nil {
		return ctap.MissingParameter
	}
	shared, err := g.agree(req)
	if err != nil {
		return err
	}
	defer shared.Wipe()
	if g.PIN.IsSet() || !shared.Verify(req.NewPINEnc, req.PINUVAuthParam) {
		return ctap.PINAuthInvalid
	}
	to, err := g.newPIN(shared, req.NewPINEnc)
	if err != nil {
		return err
	}
	defer to.hash.Wipe()
	if err := g.put(ctx, secret.Bytes{}, to); err != nil {
		return err
	}
	g.note(ctx, ctap.AuditPINSet, "", "", "")
	return nil
}

// newPIN decrypts and checks a new PIN.
func (g *Gate) newPIN(shared *pinuv.Shared, enc []byte) (chosen, error) {
	padded, err := shared.Decrypt(enc)
	if err != nil {
		return chosen{}, ctap.PINAuthInvalid
	}
	defer padded.Wipe()
	if padded.Len() != paddedPINBytes {
		return chosen{}, ctap.InvalidParameter
	}
	settings, err := g.Settings.Settings()
	if err != nil {
		return chosen{}, err
	}
	pin := bytes.TrimRight(padded.Reveal(), "\x00")
	points := uint(utf8.RuneCount(pin))
	if !utf8.Valid(pin) || len(pin) > maxPINBytes || points < settings.MinPINLength {
		return chosen{}, ctap.PINPolicyViolation
	}
	return chosen{hash: hashPIN(pin), points: points}, nil
}

// changePIN is §6.5.5.6. The hardware checks the old PIN in the same step that
// sets the new one.
func (g *Gate) changePIN(ctx context.Context, req *ctap.ClientPINRequest) error {
	if req.NewPINEnc == nil || req.PINHashEnc == nil || req.PINUVAuthParam == nil {
		return ctap.MissingParameter
	}
	shared, err := g.agree(req)
	if err != nil {
		return err
	}
	defer shared.Wipe()
	if !g.PIN.IsSet() {
		return ctap.PINNotSet
	}
	if err := g.blocked(ctx); err != nil {
		return err
	}
	if !shared.Verify(append(bytes.Clone(req.NewPINEnc), req.PINHashEnc...), req.PINUVAuthParam) {
		if left, err := g.retries(ctx); err == nil && left == 0 {
			return ctap.PINBlocked // comes before the check, and costs a command only here
		}
		return ctap.PINAuthInvalid
	}
	from, err := decryptHash(shared, req.PINHashEnc)
	if err != nil {
		return err
	}
	defer from.Wipe()
	to, policyErr := g.newPIN(shared, req.NewPINEnc)
	defer to.hash.Wipe()
	return g.replacePIN(ctx, from, to, policyErr)
}

// blocked is the answer where no PIN is tried: the lock for good comes first.
func (g *Gate) blocked(ctx context.Context) error {
	if !g.Reinsert() {
		return nil
	}
	retries, err := g.PIN.Retries(ctx)
	if err != nil {
		return err
	}
	if retries == 0 {
		return ctap.PINBlocked
	}
	return ctap.PINAuthBlocked
}

// replacePIN keeps the specification's order of answers: a wrong old PIN counts
// even when the new one could not be taken.
func (g *Gate) replacePIN(ctx context.Context, from secret.Bytes, to chosen, policyErr error) error {
	if policyErr != nil {
		_, err := g.PIN.Verify(ctx, from, nil)
		return errors.Join(g.platformAnswer("", err), policyErr)
	}
	settings, err := g.Settings.Settings()
	if err != nil {
		return err
	}
	if settings.ForcePINChange && from.Equal(to.hash) {
		return ctap.PINPolicyViolation
	}
	err = g.put(ctx, from, to)
	if _, wrong := errors.AsType[*WrongPIN](err); !wrong {
		g.dropToken() // even if only the answer was lost
	}
	if err := g.platformAnswer("", err); err != nil {
		return err
	}
	g.note(ctx, ctap.AuditPINChanged, "", "", "")
	return nil
}

func decryptHash(shared *pinuv.Shared, enc []byte) (secret.Bytes, error) {
	hash, err := shared.Decrypt(enc)
	if err != nil {
		return secret.Bytes{}, ctap.PINAuthInvalid
	}
	if hash.Len() != pinHashBytes {
		hash.Wipe()
		return secret.Bytes{}, ctap.InvalidParameter
	}
	return hash, nil
}

// pinToken is getPinToken (§6.5.5.7.1), for CTAP 2.0 platforms: the permissions
// are those to register and sign in, for the first RP that comes.
func (g *Gate) pinToken(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	if req.Permissions != nil || req.RPID != "" {
		return nil, ctap.InvalidParameter
	}
	return g.issueByPIN(ctx, req, usePermissions, ctap.PINInvalid)
}

// tokenByPIN is getPinUvAuthTokenUsingPinWithPermissions (§6.5.5.7.2).
func (g *Gate) tokenByPIN(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	permissions, err := checkPermissions(req)
	if err != nil {
		return nil, err
	}
	return g.issueByPIN(ctx, req, permissions, ctap.PINPolicyViolation)
}

// checkPermissions refuses what no token can have here.
func checkPermissions(req *ctap.ClientPINRequest) (ctap.Permission, error) {
	if req.Permissions == nil {
		return 0, ctap.MissingParameter
	}
	p := *req.Permissions
	switch {
	case p == 0:
		return 0, ctap.InvalidParameter
	case p&^grantable != 0:
		return 0, ctap.UnauthorizedPermission
	case p&ctap.PermissionPersistentReadOnly != 0 && p != ctap.PermissionPersistentReadOnly:
		return 0, ctap.InvalidParameter // a token for good has no other use
	case p&usePermissions != 0 && req.RPID == "":
		return 0, ctap.MissingParameter
	}
	return p, nil
}

// issueByPIN has the hardware check the PIN and issues a token. mustChange is the
// answer where the PIN has to be changed first.
func (g *Gate) issueByPIN(ctx context.Context, req *ctap.ClientPINRequest, permissions ctap.Permission, mustChange error) (*ctap.ClientPINResponse, error) {
	if req.PINHashEnc == nil {
		return nil, ctap.MissingParameter
	}
	shared, err := g.agree(req)
	if err != nil {
		return nil, err
	}
	defer shared.Wipe()
	if !g.PIN.IsSet() {
		return nil, ctap.PINNotSet
	}
	if err := g.blocked(ctx); err != nil {
		return nil, err
	}
	hash, err := decryptHash(shared, req.PINHashEnc)
	if err != nil {
		return nil, err
	}
	defer hash.Wipe()
	grant, err := g.PIN.Verify(ctx, hash, grantFor(permissions, req.RPID))
	if err := g.platformAnswer(req.RPID, err); err != nil {
		return nil, err
	}
	settings, err := g.Settings.Settings()
	if err != nil || settings.ForcePINChange {
		drop(grant)
		return nil, errors.Join(err, mustChange)
	}
	if permissions == ctap.PermissionPersistentReadOnly {
		return g.sealPersistent(shared, req.PINUVAuthProtocol)
	}
	t := g.newToken(req.PINUVAuthProtocol, permissions, req.RPID)
	t.grant = grant
	if permissions&usePermissions != 0 && req.RPID == "" {
		t.held.Hold(hash, unboundPIN)
	}
	return sealToken(shared, t.Token)
}

// grantFor names the RP whose grant a token needs; nil where none is needed, or
// none is known yet.
func grantFor(permissions ctap.Permission, rpID string) *[32]byte {
	if permissions&usePermissions == 0 || rpID == "" {
		return nil
	}
	hash := webauthn.RPIDHash(rpID)
	return &hash
}

// sealPersistent is sealToken for the persistent token.
func (g *Gate) sealPersistent(shared *pinuv.Shared, p pinuv.Protocol) (*ctap.ClientPINResponse, error) {
	token, err := g.persistentToken(p)
	if err != nil {
		return nil, err
	}
	defer token.Wipe()
	return sealToken(shared, token)
}

func sealToken(shared *pinuv.Shared, t pinuv.Token) (*ctap.ClientPINResponse, error) {
	enc, err := shared.Encrypt(t.Secret().Reveal())
	if err != nil {
		return nil, err
	}
	return &ctap.ClientPINResponse{PINUVAuthToken: enc}, nil
}

// tokenByUV is getPinUvAuthTokenUsingUvWithPermissions (§6.5.5.7.3). A prompt
// that names its RP is presence enough for what follows. It comes before the platform
// tells which passkey it is for; with one to sign in with, it can name the account.
func (g *Gate) tokenByUV(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	permissions, err := checkPermissions(req)
	if err != nil {
		return nil, err
	}
	shared, err := g.agree(req)
	if err != nil {
		return nil, err
	}
	defer shared.Wipe()
	if !g.CanVerify() {
		return nil, ctap.NotAllowed
	}
	if g.Reinsert() {
		return nil, ctap.UVBlocked
	}
	ask := Ask{Operation: OperationPIN, RP: ctap.RelyingParty{ID: req.RPID}, Permissions: permissions}
	if permissions&usePermissions == ctap.PermissionGetAssertion {
		only, err := g.Account(webauthn.RPIDHash(req.RPID))
		if err != nil {
			return nil, err
		}
		if only != nil {
			ask.Accounts = []ctap.User{*only}
		}
	}
	grant, err := g.VerifyUser(ctx, ask, grantFor(permissions, req.RPID))
	if err != nil {
		return nil, err
	}
	if permissions == ctap.PermissionPersistentReadOnly {
		return g.sealPersistent(shared, req.PINUVAuthProtocol)
	}
	t := g.newToken(req.PINUVAuthProtocol, permissions, req.RPID)
	t.grant = grant
	t.userPresent = req.RPID != ""
	if len(ask.Accounts) == 1 {
		t.account = ask.Accounts[0].ID
	}
	return sealToken(shared, t.Token)
}
