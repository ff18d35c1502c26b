package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// descriptor is PublicKeyCredentialDescriptorJSON.
type descriptor struct {
	Type       string             `json:"type"`
	ID         webauthn.Base64URL `json:"id"`
	Transports []string           `json:"transports"`
}

// CreationOptions are PublicKeyCredentialCreationOptionsJSON (§5.1.8), as far as they are
// not the browser's. A member that is nil is absent.
type CreationOptions struct {
	RP struct {
		ID   *string `json:"id"`
		Name string  `json:"name"`
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
	TimeoutMilliseconds *float64     `json:"timeout"`
	Exclude             []descriptor `json:"excludeCredentials"`
	Selection           struct {
		Attachment         string `json:"authenticatorAttachment"`
		ResidentKey        string `json:"residentKey"`
		RequireResidentKey bool   `json:"requireResidentKey"`
		UserVerification   string `json:"userVerification"`
	} `json:"authenticatorSelection"`
	Hints              []string `json:"hints"`
	Attestation        string   `json:"attestation"`
	AttestationFormats []string `json:"attestationFormats"`
	Extensions         inputs   `json:"extensions"`
}

// RequestOptions are PublicKeyCredentialRequestOptionsJSON (§5.1.8) in the same way.
type RequestOptions struct {
	Challenge           webauthn.Base64URL `json:"challenge"`
	TimeoutMilliseconds *float64           `json:"timeout"`
	RPID                *string            `json:"rpId"`
	Allow               []descriptor       `json:"allowCredentials"`
	UserVerification    string             `json:"userVerification"`
	Hints               []string           `json:"hints"`
	Extensions          inputs             `json:"extensions"`
}

// inputs are the extension inputs that are ours to answer (§10).
type inputs struct {
	CredProps *bool `json:"credProps"`
	PRF       *struct {
		Eval             *values           `json:"eval"`
		EvalByCredential map[string]values `json:"evalByCredential"`
	} `json:"prf"`
	LargeBlob *struct {
		Support string `json:"support"`
	} `json:"largeBlob"`
	ProtectionPolicy  string `json:"credentialProtectionPolicy"`
	EnforceProtection *bool  `json:"enforceCredentialProtectionPolicy"`
}

// values are one or two inputs or outputs of prf (§10.1.4).
type values struct {
	First  webauthn.Base64URL  `json:"first"`
	Second *webauthn.Base64URL `json:"second,omitempty"`
}

// From the specification: §5.4.4, §5.4.5, §5.4.6, §5.4.7, §5.8.6, §5.8.7.
const (
	required       = "required"
	preferred      = "preferred"
	discouraged    = "discouraged"
	platform       = "platform"
	crossPlatform  = "cross-platform"
	attestNone     = "none"
	hintKey        = "security-key"
	hintHybrid     = "hybrid"
	publicKeyType  = ctap.PublicKeyType
	maxHandleBytes = 64
)

// Credential is RegistrationResponseJSON or AuthenticationResponseJSON (§5.1.8).
type Credential struct {
	ID         webauthn.Base64URL `json:"id"`
	RawID      webauthn.Base64URL `json:"rawId"`
	Type       string             `json:"type"`
	Attachment string             `json:"authenticatorAttachment"`
	Response   response           `json:"response"`
	Extensions outputs            `json:"clientExtensionResults"`
}

type response struct {
	ClientData webauthn.Base64URL `json:"clientDataJSON"`
	AuthData   webauthn.Base64URL `json:"authenticatorData"`
	// Of a registration.
	Attestation webauthn.Base64URL `json:"attestationObject,omitempty"`
	Transports  []string           `json:"transports,omitempty"`
	PublicKey   webauthn.Base64URL `json:"publicKey,omitempty"` // SubjectPublicKeyInfo, DER
	Algorithm   cose.Algorithm     `json:"publicKeyAlgorithm,omitempty"`
	// Of an assertion.
	Signature  webauthn.Base64URL `json:"signature,omitempty"`
	UserHandle webauthn.Base64URL `json:"userHandle,omitempty"`
}

// outputs are the extension outputs (§10).
type outputs struct {
	CredProps *credProps  `json:"credProps,omitempty"`
	PRF       *prfOutputs `json:"prf,omitempty"`
	LargeBlob *largeBlob  `json:"largeBlob,omitempty"`
}

type credProps struct {
	RK bool `json:"rk"`
}

type prfOutputs struct {
	Enabled *bool   `json:"enabled,omitempty"`
	Results *values `json:"results,omitempty"`
}

type largeBlob struct {
	Supported bool `json:"supported"`
}

// Decode reads JSON strictly: nothing that is not known, nothing after it.
func Decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	switch err := d.Decode(into); {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON")
	}
	return nil
}
