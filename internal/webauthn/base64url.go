package webauthn

import "encoding/base64"

// Base64URL is a byte string in WebAuthn's JSON: Base64URLString (L3 §5.1.8), without
// padding, and read in its one form only.
type Base64URL []byte

// MarshalText writes it.
func (b Base64URL) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads it.
func (b *Base64URL) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().DecodeString(string(text))
	return err
}
