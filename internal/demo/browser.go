package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// requestTimeout bounds one request to the site.
const requestTimeout = 10 * time.Second

// browser stands between a site and an authenticator, as WebAuthn L3 §5.1 says.
type browser struct {
	site   *site.Site
	device ctap.Authenticator
	pin    secret.Bytes
}

type descriptorJSON struct {
	ID   webauthn.Base64URL `json:"id"`
	Type string             `json:"type"`
}

// creationJSON is PublicKeyCredentialCreationOptionsJSON, as far as it is used here.
type creationJSON struct {
	PublicKey struct {
		RP struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"rp"`
		User struct {
			ID          webauthn.Base64URL `json:"id"`
			Name        string             `json:"name"`
			DisplayName string             `json:"displayName"`
		} `json:"user"`
		Challenge  webauthn.Base64URL `json:"challenge"`
		Parameters []struct {
			Type      string         `json:"type"`
			Algorithm cose.Algorithm `json:"alg"`
		} `json:"pubKeyCredParams"`
		Exclude []descriptorJSON `json:"excludeCredentials"`
	} `json:"publicKey"`
}

// requestJSON is PublicKeyCredentialRequestOptionsJSON, as far as it is used here.
type requestJSON struct {
	PublicKey struct {
		Challenge webauthn.Base64URL `json:"challenge"`
		RPID      string             `json:"rpId"`
		Allow     []descriptorJSON   `json:"allowCredentials"`
	} `json:"publicKey"`
}

// responseJSON is the response member of RegistrationResponseJSON and of
// AuthenticationResponseJSON.
type responseJSON struct {
	ClientData  webauthn.Base64URL `json:"clientDataJSON"`
	Attestation webauthn.Base64URL `json:"attestationObject,omitempty"`
	AuthData    webauthn.Base64URL `json:"authenticatorData,omitempty"`
	Signature   webauthn.Base64URL `json:"signature,omitempty"`
	UserHandle  webauthn.Base64URL `json:"userHandle,omitempty"`
	Transports  []string           `json:"transports,omitempty"`
}

type credentialJSON struct {
	ID         webauthn.Base64URL `json:"id"`
	RawID      webauthn.Base64URL `json:"rawId"`
	Type       string             `json:"type"`
	Response   responseJSON       `json:"response"`
	Extensions map[string]any     `json:"clientExtensionResults"`
	Attachment string             `json:"authenticatorAttachment"`
}

func credential(id []byte, response responseJSON) credentialJSON {
	return credentialJSON{
		ID: id, RawID: id, Type: ctap.PublicKeyType, Response: response,
		Extensions: map[string]any{}, Attachment: "platform",
	}
}

func (b *browser) platform() ctap.Platform {
	return ctap.Platform{Authenticator: b.device, Protocol: pinuv.Two}
}

// register is navigator.credentials.create() between the site's begin and finish.
func (b *browser) register(ctx context.Context) (*site.Receipt, error) {
	var options creationJSON
	if err := b.post(ctx, "/register/begin", nil, &options); err != nil {
		return nil, err
	}
	o := &options.PublicKey
	clientData, hash, err := b.clientData("webauthn.create", o.Challenge, o.RP.ID)
	if err != nil {
		return nil, err
	}
	token, err := b.platform().TokenWithPIN(ctx, b.pin, ctap.PermissionMakeCredential, o.RP.ID)
	if err != nil {
		return nil, fmt.Errorf("token by PIN: %w", err)
	}
	defer token.Wipe()
	param := token.Authenticate(hash)
	request := &ctap.MakeCredentialRequest{
		ClientDataHash: hash,
		RP:             &ctap.RelyingParty{ID: o.RP.ID, Name: o.RP.Name},
		User:           &ctap.User{ID: o.User.ID, Name: o.User.Name, DisplayName: o.User.DisplayName},
		ExcludeList:    descriptors(o.Exclude),
		Options:        &ctap.Options{RK: new(true)},
		PINUVAuthParam: &param, PINUVAuthProtocol: token.Protocol(),
	}
	for _, p := range o.Parameters {
		request.Parameters = append(request.Parameters, ctap.Parameter{Algorithm: p.Algorithm, Type: p.Type})
	}
	made, err := b.device.MakeCredential(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("makeCredential: %w", err)
	}
	data, err := webauthn.ParseAuthenticatorData(made.AuthData)
	if err != nil {
		return nil, err
	}
	if data.Attested == nil {
		return nil, errors.New("makeCredential: no credential in the answer")
	}
	object, err := webauthn.AttestationObject{Format: made.Format, Statement: made.Statement, AuthData: made.AuthData}.Marshal()
	if err != nil {
		return nil, err
	}
	got := new(site.Receipt)
	return got, b.post(ctx, "/register/finish", credential(data.Attested.CredentialID, responseJSON{
		ClientData: clientData, Attestation: object, Transports: []string{"internal"},
	}), got)
}

// signIn is navigator.credentials.get() between the site's begin and finish.
func (b *browser) signIn(ctx context.Context, discoverable bool) (*site.Receipt, error) {
	begin := "/signin/begin"
	if discoverable {
		begin += "?discoverable=1"
	}
	var options requestJSON
	if err := b.post(ctx, begin, nil, &options); err != nil {
		return nil, err
	}
	o := &options.PublicKey
	if discoverable != (len(o.Allow) == 0) {
		return nil, fmt.Errorf("the site named %d passkeys", len(o.Allow))
	}
	clientData, hash, err := b.clientData("webauthn.get", o.Challenge, o.RPID)
	if err != nil {
		return nil, err
	}
	token, err := b.platform().TokenWithPIN(ctx, b.pin, ctap.PermissionGetAssertion, o.RPID)
	if err != nil {
		return nil, fmt.Errorf("token by PIN: %w", err)
	}
	defer token.Wipe()
	param := token.Authenticate(hash)
	assertion, err := b.device.GetAssertion(ctx, &ctap.GetAssertionRequest{
		RPID: o.RPID, ClientDataHash: hash, AllowList: descriptors(o.Allow),
		PINUVAuthParam: &param, PINUVAuthProtocol: token.Protocol(),
	})
	if err != nil {
		return nil, fmt.Errorf("getAssertion: %w", err)
	}
	if assertion.Credential == nil {
		return nil, errors.New("getAssertion: the answer names no credential")
	}
	response := responseJSON{ClientData: clientData, AuthData: assertion.AuthData, Signature: assertion.Signature}
	if assertion.User != nil {
		response.UserHandle = assertion.User.ID
	}
	got := new(site.Receipt)
	return got, b.post(ctx, "/signin/finish", credential(assertion.Credential.ID, response), got)
}

// clientData is what is signed over of the ceremony (§5.8.1). A browser lets a site
// speak for its own host only.
func (b *browser) clientData(kind string, challenge []byte, rpID string) (data, hash []byte, err error) {
	if rpID != site.Host {
		return nil, nil, fmt.Errorf("the site speaks for %q", rpID)
	}
	data = webauthn.ClientData{
		Type: kind, Challenge: webauthn.ChallengeText(challenge), Origin: b.site.Origin,
	}.JSON()
	sum := sha256.Sum256(data)
	return data, sum[:], nil
}

func descriptors(list []descriptorJSON) []ctap.Descriptor {
	var all []ctap.Descriptor
	for _, d := range list {
		all = append(all, ctap.Descriptor{ID: d.ID, Type: d.Type})
	}
	return all
}

// post sends JSON to the site and reads its answer; the site's no is an error.
func (b *browser) post(ctx context.Context, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.site.Origin+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", b.site.Origin)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, site.MaxBodyBytes))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var no site.Refusal
		if json.Unmarshal(content, &no) != nil || no.Error == "" {
			no.Error = response.Status
		}
		return fmt.Errorf("the site refuses: %s", no.Error)
	}
	return json.Unmarshal(content, into)
}
