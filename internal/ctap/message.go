package ctap

import (
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// RelyingParty is PublicKeyCredentialRpEntity (CTAP 2.3 §6.1, 0x02).
type RelyingParty struct {
	ID   string `cbor:"id"`
	Name string `cbor:"name,omitempty"`
}

// MaxNameBytes is where names of users and relying parties are cut (§6.1.2).
const MaxNameBytes = 64

// User is PublicKeyCredentialUserEntity (CTAP 2.3 §6.1, 0x03). ID is the user
// handle, 1–64 bytes.
type User struct {
	ID          []byte `cbor:"id"`
	Name        string `cbor:"name,omitempty"`
	DisplayName string `cbor:"displayName,omitempty"`
}

// CheckProtocol is the answer to a pinUvAuthProtocol that a command needs: nil for
// one of ours, MissingParameter for none, InvalidParameter for any other.
func CheckProtocol(p pinuv.Protocol) error {
	switch {
	case p == 0:
		return MissingParameter
	case !p.Valid():
		return InvalidParameter
	}
	return nil
}

// CheckToken is the answer to a pinUvAuthParam and its protocol that a command cannot do
// without: PUATRequired for no param, or CheckProtocol's. It says nothing of whether the
// param is right.
func CheckToken(p pinuv.Protocol, param []byte) error {
	if param == nil {
		return PUATRequired
	}
	return CheckProtocol(p)
}

// PublicKeyType is the only credential type there is (WebAuthn L3 §5.8.2).
const PublicKeyType = "public-key"

// Parameter is PublicKeyCredentialParameters (CTAP 2.3 §6.1, 0x04).
type Parameter struct {
	Algorithm cose.Algorithm `cbor:"alg"`
	Type      string         `cbor:"type"`
}

// Descriptor is PublicKeyCredentialDescriptor.
type Descriptor struct {
	ID   []byte `cbor:"id"`
	Type string `cbor:"type"`
}

// Options are the options of makeCredential and getAssertion; nil is absent.
type Options struct {
	RK *bool `cbor:"rk,omitempty"`
	UP *bool `cbor:"up,omitempty"`
	UV *bool `cbor:"uv,omitempty"`
}

// Extensions maps extension identifiers to their inputs or outputs.
type Extensions map[string]cbor.Raw

// MakeCredentialRequest is authenticatorMakeCredential (CTAP 2.3 §6.1).
// An empty, non-nil PINUVAuthParam is the old request for a touch.
type MakeCredentialRequest struct {
	ClientDataHash               []byte         `cbor:"1,keyasint,omitempty"`
	RP                           *RelyingParty  `cbor:"2,keyasint,omitempty"`
	User                         *User          `cbor:"3,keyasint,omitempty"`
	Parameters                   []Parameter    `cbor:"4,keyasint,omitempty"`
	ExcludeList                  []Descriptor   `cbor:"5,keyasint,omitempty"`
	Extensions                   Extensions     `cbor:"6,keyasint,omitempty"`
	Options                      *Options       `cbor:"7,keyasint,omitempty"`
	PINUVAuthParam               *[]byte        `cbor:"8,keyasint,omitempty"`
	PINUVAuthProtocol            pinuv.Protocol `cbor:"9,keyasint,omitempty"`
	EnterpriseAttestation        *uint          `cbor:"10,keyasint,omitempty"`
	AttestationFormatsPreference []string       `cbor:"11,keyasint,omitempty"`
}

// MakeCredentialResponse answers it (CTAP 2.3 §6.1). AuthData is the byte form
// of WebAuthn L3 §6.1.
type MakeCredentialResponse struct {
	Format          string   `cbor:"1,keyasint"`
	AuthData        []byte   `cbor:"2,keyasint"`
	Statement       cbor.Raw `cbor:"3,keyasint,omitempty"`
	LargeBlobKey    []byte   `cbor:"5,keyasint,omitempty"`
	UnsignedOutputs cbor.Raw `cbor:"6,keyasint,omitempty"`
}

// GetAssertionRequest is authenticatorGetAssertion (CTAP 2.3 §6.2).
type GetAssertionRequest struct {
	RPID              string         `cbor:"1,keyasint,omitempty"`
	ClientDataHash    []byte         `cbor:"2,keyasint,omitempty"`
	AllowList         []Descriptor   `cbor:"3,keyasint,omitempty"`
	Extensions        Extensions     `cbor:"4,keyasint,omitempty"`
	Options           *Options       `cbor:"5,keyasint,omitempty"`
	PINUVAuthParam    *[]byte        `cbor:"6,keyasint,omitempty"`
	PINUVAuthProtocol pinuv.Protocol `cbor:"7,keyasint,omitempty"`
}

// GetAssertionResponse answers it, and getNextAssertion (CTAP 2.3 §6.2, §6.3).
// Signature is an ASN.1 DER ECDSA signature over AuthData ‖ ClientDataHash.
type GetAssertionResponse struct {
	Credential          *Descriptor `cbor:"1,keyasint,omitempty"`
	AuthData            []byte      `cbor:"2,keyasint"`
	Signature           []byte      `cbor:"3,keyasint"`
	User                *User       `cbor:"4,keyasint,omitempty"`
	NumberOfCredentials uint        `cbor:"5,keyasint,omitempty"`
	UserSelected        bool        `cbor:"6,keyasint,omitempty"`
	LargeBlobKey        []byte      `cbor:"7,keyasint,omitempty"`
}

// GetInfoResponse is authenticatorGetInfo (CTAP 2.3 §6.4). AAGUID is 16 bytes;
// sizes are bytes, PIN lengths Unicode code points.
type GetInfoResponse struct {
	Versions                         []string         `cbor:"1,keyasint"`
	Extensions                       []string         `cbor:"2,keyasint,omitempty"`
	AAGUID                           [16]byte         `cbor:"3,keyasint"`
	Options                          map[string]bool  `cbor:"4,keyasint,omitempty"`
	MaxMessageSize                   uint             `cbor:"5,keyasint,omitempty"`
	PINUVAuthProtocols               []pinuv.Protocol `cbor:"6,keyasint,omitempty"`
	MaxCredentialCountInList         uint             `cbor:"7,keyasint,omitempty"`
	MaxCredentialIDLength            uint             `cbor:"8,keyasint,omitempty"`
	Transports                       []string         `cbor:"9,keyasint,omitempty"`
	Algorithms                       []Parameter      `cbor:"10,keyasint,omitempty"`
	MaxSerializedLargeBlobArray      uint             `cbor:"11,keyasint,omitempty"`
	ForcePINChange                   *bool            `cbor:"12,keyasint,omitempty"`
	MinPINLength                     uint             `cbor:"13,keyasint,omitempty"`
	FirmwareVersion                  uint             `cbor:"14,keyasint,omitempty"`
	MaxCredBlobLength                uint             `cbor:"15,keyasint,omitempty"`
	MaxRPIDsForSetMinPINLength       uint             `cbor:"16,keyasint,omitempty"`
	PreferredPlatformUVAttempts      uint             `cbor:"17,keyasint,omitempty"`
	UVModality                       uint             `cbor:"18,keyasint,omitempty"`
	RemainingDiscoverableCredentials *uint            `cbor:"20,keyasint,omitempty"`
	AttestationFormats               []string         `cbor:"22,keyasint,omitempty"`
	UVCountSinceLastPINEntry         *uint            `cbor:"23,keyasint,omitempty"`
	EncIdentifier                    []byte           `cbor:"25,keyasint,omitempty"`
	TransportsForReset               []string         `cbor:"26,keyasint,omitempty"`
	MaxPINLength                     uint             `cbor:"29,keyasint,omitempty"`
	EncCredStoreState                []byte           `cbor:"30,keyasint,omitempty"`
	AuthenticatorConfigCommands      []uint           `cbor:"31,keyasint,omitempty"`
}

// PINSubcommand selects what authenticatorClientPIN does (CTAP 2.3 §6.5.5).
type PINSubcommand uint

// From the specification: §6.5.5.
const (
	GetPINRetries          PINSubcommand = 0x01
	GetKeyAgreement        PINSubcommand = 0x02
	SetPIN                 PINSubcommand = 0x03
	ChangePIN              PINSubcommand = 0x04
	GetPINToken            PINSubcommand = 0x05
	GetTokenUVPermissions  PINSubcommand = 0x06
	GetUVRetries           PINSubcommand = 0x07
	GetTokenPINPermissions PINSubcommand = 0x09
)

// Permission is a set of pinUvAuthToken permissions (CTAP 2.3 §6.5.5.7).
type Permission uint

// From the specification: §6.5.5.7.
const (
	PermissionMakeCredential       Permission = 0x01
	PermissionGetAssertion         Permission = 0x02
	PermissionCredentialManagement Permission = 0x04
	PermissionBioEnrollment        Permission = 0x08
	PermissionLargeBlobWrite       Permission = 0x10
	PermissionConfiguration        Permission = 0x20
	PermissionPersistentReadOnly   Permission = 0x40
)

// ClientPINRequest is authenticatorClientPIN (CTAP 2.3 §6.5).
type ClientPINRequest struct {
	PINUVAuthProtocol pinuv.Protocol `cbor:"1,keyasint,omitempty"`
	Subcommand        PINSubcommand  `cbor:"2,keyasint,omitempty"`
	KeyAgreement      *cose.Key      `cbor:"3,keyasint,omitempty"`
	PINUVAuthParam    []byte         `cbor:"4,keyasint,omitempty"`
	NewPINEnc         []byte         `cbor:"5,keyasint,omitempty"`
	PINHashEnc        []byte         `cbor:"6,keyasint,omitempty"`
	Permissions       *Permission    `cbor:"9,keyasint,omitempty"`
	RPID              string         `cbor:"10,keyasint,omitempty"`
}

// ClientPINResponse answers it. PINUVAuthToken is encrypted under the shared
// secret. Retries are attempts left.
type ClientPINResponse struct {
	KeyAgreement    *cose.Key `cbor:"1,keyasint,omitempty"`
	PINUVAuthToken  []byte    `cbor:"2,keyasint,omitempty"`
	PINRetries      *uint     `cbor:"3,keyasint,omitempty"`
	PowerCycleState *bool     `cbor:"4,keyasint,omitempty"`
	UVRetries       *uint     `cbor:"5,keyasint,omitempty"`
}

// CredentialSubcommand selects what credential management does (CTAP 2.3 §6.8).
type CredentialSubcommand byte

// From the specification: §6.8.
const (
	GetCredsMetadata                      CredentialSubcommand = 0x01
	EnumerateRPsBegin                     CredentialSubcommand = 0x02
	EnumerateRPsGetNextRP                 CredentialSubcommand = 0x03
	EnumerateCredentialsBegin             CredentialSubcommand = 0x04
	EnumerateCredentialsGetNextCredential CredentialSubcommand = 0x05
	DeleteCredential                      CredentialSubcommand = 0x06
	UpdateUserInformation                 CredentialSubcommand = 0x07
)

// CredentialManagementRequest is authenticatorCredentialManagement (CTAP 2.3
// §6.8). Params stays raw because PINUVAuthParam is computed over its bytes.
type CredentialManagementRequest struct {
	Subcommand        CredentialSubcommand `cbor:"1,keyasint,omitempty"`
	Params            cbor.Raw             `cbor:"2,keyasint,omitempty"`
	PINUVAuthProtocol pinuv.Protocol       `cbor:"3,keyasint,omitempty"`
	PINUVAuthParam    []byte               `cbor:"4,keyasint,omitempty"`
}

// CredentialManagementParams are the subCommandParams. RPIDHash is SHA-256.
type CredentialManagementParams struct {
	RPIDHash   []byte      `cbor:"1,keyasint,omitempty"`
	Credential *Descriptor `cbor:"2,keyasint,omitempty"`
	User       *User       `cbor:"3,keyasint,omitempty"`
}

// CredentialManagementResponse answers it; which fields are set depends on the
// sub-command.
type CredentialManagementResponse struct {
	ExistingCount     *uint         `cbor:"1,keyasint,omitempty"`
	RemainingCount    *uint         `cbor:"2,keyasint,omitempty"`
	RP                *RelyingParty `cbor:"3,keyasint,omitempty"`
	RPIDHash          []byte        `cbor:"4,keyasint,omitempty"`
	TotalRPs          *uint         `cbor:"5,keyasint,omitempty"`
	User              *User         `cbor:"6,keyasint,omitempty"`
	Credential        *Descriptor   `cbor:"7,keyasint,omitempty"`
	PublicKey         *cose.Key     `cbor:"8,keyasint,omitempty"`
	TotalCredentials  *uint         `cbor:"9,keyasint,omitempty"`
	CredProtect       *uint         `cbor:"10,keyasint,omitempty"`
	LargeBlobKey      []byte        `cbor:"11,keyasint,omitempty"`
	ThirdPartyPayment *bool         `cbor:"12,keyasint,omitempty"`
}
