package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// From the specification: WebAuthn L3 §5.8.1, types of client data.
const (
	TypeCreate = "webauthn.create"
	TypeGet    = "webauthn.get"
)

// ClientData is what a client tells the relying party of the context (WebAuthn L3
// §5.8.1). Challenge is base64url text without padding; Origin and TopOrigin are
// serialized origins. TopOrigin means something only with CrossOrigin, and is
// empty for none.
type ClientData struct {
	Type        string
	Challenge   string
	Origin      string
	CrossOrigin bool
	TopOrigin   string
}

// ChallengeText is the form a challenge has in client data.
func ChallengeText(challenge []byte) string { return base64.RawURLEncoding.EncodeToString(challenge) }

// JSON gives the serialization of §5.8.1.1, which encoding/json would not: members
// in this order, <, > and & as they are, every control character as \u00xx.
func (c ClientData) JSON() []byte {
	out := appendString([]byte(`{"type":`), c.Type)
	out = appendString(append(out, `,"challenge":`...), c.Challenge)
	out = appendString(append(out, `,"origin":`...), c.Origin)
	out = append(out, `,"crossOrigin":`...)
	if !c.CrossOrigin {
		return append(out, `false}`...)
	}
	out = append(out, `true`...)
	if c.TopOrigin != "" {
		out = appendString(append(out, `,"topOrigin":`...), c.TopOrigin)
	}
	return append(out, '}')
}

// appendString is CCDToString (§5.8.1.1). Bytes that are not UTF-8 become U+FFFD,
// as a lone surrogate does on its way out of JavaScript.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ':
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// ParseClientData reads client data as a relying party does (WebAuthn L3 §7.1,
// §7.2): members that are not known are ignored, in any order. It is strict where
// encoding/json is not: names are case-sensitive and occur once, the text is
// UTF-8, nothing follows. Errors are ErrMalformed.
func ParseClientData(data []byte) (ClientData, error) {
	if !utf8.Valid(data) {
		return ClientData{}, fmt.Errorf("%w: client data is not UTF-8", ErrMalformed)
	}
	members, err := parseObject(data)
	if err != nil {
		return ClientData{}, fmt.Errorf("%w: client data: %w", ErrMalformed, err)
	}
	var c ClientData
	for name, into := range map[string]any{
		"type": &c.Type, "challenge": &c.Challenge, "origin": &c.Origin,
		"crossOrigin": &c.CrossOrigin, "topOrigin": &c.TopOrigin,
	} {
		value, present := members[name]
		if !present {
			continue
		}
		// encoding/json takes null for any type.
		if err := json.Unmarshal(value, into); err != nil || bytes.Equal(value, []byte("null")) {
			return ClientData{}, fmt.Errorf("%w: client data: %s has the wrong type", ErrMalformed, name)
		}
	}
	_, hasTop := members["topOrigin"]
	return c, c.check(hasTop)
}

func (c ClientData) check(hasTop bool) error {
	switch {
	case c.Type == "" || c.Origin == "" || c.Challenge == "":
		return fmt.Errorf("%w: client data without type, challenge or origin", ErrMalformed)
	case hasTop && (!c.CrossOrigin || c.TopOrigin == ""):
		return fmt.Errorf("%w: client data with a top origin out of place", ErrMalformed)
	}
	// The decoder skips line breaks; text that is not what a challenge encodes to is
	// not its text.
	challenge, err := base64.RawURLEncoding.DecodeString(c.Challenge)
	if err != nil || ChallengeText(challenge) != c.Challenge {
		return fmt.Errorf("%w: challenge is not base64url", ErrMalformed)
	}
	return nil
}

// parseObject reads one JSON object whose names are all different.
func parseObject(data []byte) (map[string]json.RawMessage, error) {
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	members := make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if _, twice := members[name]; twice || !ok {
			return nil, fmt.Errorf("a name occurs twice, at byte %d", decoder.InputOffset())
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	return members, nil
}
