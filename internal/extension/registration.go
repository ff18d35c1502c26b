package extension

import (
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// From the specification: extension identifiers, §12.1–§12.3, §12.5 and
// §12.7–§12.9.
const (
	credProtect       = "credProtect"
	credBlob          = "credBlob"
	largeBlobKey      = "largeBlobKey"
	minPINLength      = "minPinLength"
	hmacSecret        = "hmac-secret"
	hmacSecretMC      = "hmac-secret-mc"
	thirdPartyPayment = "thirdPartyPayment"
)

// LargeBlobKeyBytes is the length of a largeBlobKey (§12.3).
const LargeBlobKeyBytes = 32

// MaxBlobBytes is the longest credBlob (§6.4, maxCredBlobLength; 32 at least). Ours.
const MaxBlobBytes = 64

// Supported is what getInfo lists: what this package reads.
func Supported() []string {
	return []string{credBlob, credProtect, hmacSecret, hmacSecretMC, largeBlobKey, minPINLength, thirdPartyPayment}
}

// Registration is what a makeCredential request asks. It must be wiped.
type Registration struct {
	Protection        credential.Protection
	HMACSecret        bool
	ThirdPartyPayment bool
	// LargeBlobKey: the credential is to have one.
	LargeBlobKey bool
	// Blob is the credBlob to be kept, nil for none.
	Blob []byte
	// Salts are those of hmac-secret-mc, nil for none.
	Salts *Salts

	minPINLength bool
	asked        ctap.Extensions
}

// ReadRegistration reads the inputs of makeCredential, for a credential that is
// discoverable or not.
func ReadRegistration(in ctap.Extensions, discoverable bool, agree Agree) (*Registration, error) {
	r := &Registration{Protection: credential.UVOptional, asked: in}
	if err := read(in, credProtect, &r.Protection); err != nil {
		return nil, err
	}
	if r.Protection < credential.UVOptional || r.Protection > credential.UVRequired {
		return nil, ctap.InvalidOption
	}
	for name, into := range map[string]any{
		hmacSecret: &r.HMACSecret, minPINLength: &r.minPINLength, thirdPartyPayment: &r.ThirdPartyPayment, credBlob: &r.Blob,
	} {
		if err := read(in, name, into); err != nil {
			return nil, err
		}
	}
	if err := readLargeBlobKey(in, &r.LargeBlobKey); err != nil {
		return nil, err
	}
	if r.LargeBlobKey && !discoverable {
		return nil, ctap.InvalidOption
	}
	if len(r.Blob) > MaxBlobBytes {
		r.Blob = nil // the answer says so (§12.2)
	}
	if !r.HMACSecret {
		return r, nil
	}
	var err error
	r.Salts, err = readSalts(in, hmacSecretMC, agree) // without hmac-secret it means nothing (§12.8)
	return r, err
}

// Wipe forgets the salts.
func (r *Registration) Wipe() { r.Salts.Wipe() }

// readLargeBlobKey reads an input that can be nothing but true (§12.3).
func readLargeBlobKey(in ctap.Extensions, into *bool) error {
	err := read(in, largeBlobKey, into)
	if _, asked := in[largeBlobKey]; err == nil && asked && !*into {
		err = ctap.InvalidOption
	}
	return err
}

// read decodes the input of one extension, where there is one.
func read(in ctap.Extensions, name string, into any) error {
	if raw, ok := in[name]; ok {
		return cbor.Unmarshal(raw, into)
	}
	return nil
}

// PINLength is the least length of a PIN and the relying parties that are told
// (§12.5).
type PINLength struct {
	Least uint
	RPIDs []string
}

// Outputs answers for the credential c that was made; secrets are the encrypted
// outputs of hmac-secret-mc, nil for none.
func (r *Registration) Outputs(c *credential.Credential, p PINLength, secrets []byte) (cbor.Raw, error) {
	out := map[string]any{}
	if _, ok := r.asked[credProtect]; ok {
		out[credProtect] = uint(c.Protection)
	}
	if _, ok := r.asked[hmacSecret]; ok {
		out[hmacSecret] = len(c.MACWithUV) > 0
	}
	if _, ok := r.asked[credBlob]; ok {
		out[credBlob] = r.Blob != nil
	}
	if secrets != nil {
		out[hmacSecretMC] = secrets
	}
	if r.minPINLength && slices.Contains(p.RPIDs, c.RP.ID) {
		out[minPINLength] = p.Least
	}
	return encode(out)
}

func encode(out map[string]any) (cbor.Raw, error) {
	if len(out) == 0 {
		return nil, nil
	}
	return cbor.Marshal(out)
}
