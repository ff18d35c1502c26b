package extension

import (
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// From the specification: extension identifiers, §12.1, §12.5 and §12.7.
const (
	credProtect  = "credProtect"
	minPINLength = "minPinLength"
	hmacSecret   = "hmac-secret"
)

// Supported is what getInfo lists: what this package reads.
func Supported() []string { return []string{credProtect, hmacSecret, minPINLength} }

// Registration is what a makeCredential request asks.
type Registration struct {
	Protection credential.Protection
	HMACSecret bool

	minPINLength bool
	asked        ctap.Extensions
}

// ReadRegistration reads the inputs of makeCredential.
func ReadRegistration(in ctap.Extensions) (*Registration, error) {
	r := &Registration{Protection: credential.UVOptional, asked: in}
	if err := read(in, credProtect, &r.Protection); err != nil {
		return nil, err
	}
	if r.Protection < credential.UVOptional || r.Protection > credential.UVRequired {
		return nil, ctap.InvalidOption
	}
	if err := read(in, hmacSecret, &r.HMACSecret); err != nil {
		return nil, err
	}
	if err := read(in, minPINLength, &r.minPINLength); err != nil {
		return nil, err
	}
	return r, nil
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

// Outputs answers for the credential c that was made.
func (r *Registration) Outputs(c *credential.Credential, p PINLength) (cbor.Raw, error) {
	out := map[string]any{}
	if _, ok := r.asked[credProtect]; ok {
		out[credProtect] = uint(c.Protection)
	}
	if _, ok := r.asked[hmacSecret]; ok {
		out[hmacSecret] = len(c.MACWithUV) > 0
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
