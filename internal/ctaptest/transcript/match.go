package transcript

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// match compares a value with a pattern, and gives both as text: the same one where they
// match, and different ones where they do not, the same in all lines that do.
func (s *stage) match(p node, v any, indent string) (want, got string) {
	got = show(v, indent)
	switch p := p.(type) {
	case blank:
		return got, got
	case ref:
		if known, ok := s.names[p.name]; ok {
			return show(known, indent), got
		}
		s.names[p.name] = v
		return got, got
	case both:
		if want, got = s.match(p.one, v, indent); want != got {
			return want, got
		}
		return s.match(p.other, v, indent)
	case list:
		return s.matchList(p, v, indent)
	case mapping:
		return s.matchMap(p, v, indent)
	case call:
		if test, ok := tests()[p.name]; ok {
			return test(s, p, v, indent)
		}
	}
	value, err := s.value(p)
	if err != nil {
		return p.source() + " # " + err.Error(), got
	}
	return show(value, indent), got
}

func (s *stage) matchList(p list, v any, indent string) (want, got string) {
	values, ok := v.([]any)
	if !ok || len(values) != len(p.items) {
		return p.source(), show(v, indent)
	}
	wants, gots := make([]string, len(values)), make([]string, len(values))
	for i, item := range p.items {
		wants[i], gots[i] = s.match(item, values[i], "")
	}
	return "[" + strings.Join(wants, ", ") + "]", "[" + strings.Join(gots, ", ") + "]"
}

func (s *stage) matchMap(p mapping, v any, indent string) (want, got string) {
	values, ok := v.(map[any]any)
	if !ok {
		return p.source(), show(v, indent)
	}
	patterns := make(map[any]node, len(p.entries))
	every := make(map[any]any, len(p.entries)+len(values))
	for _, e := range p.entries {
		patterns[e.key], every[e.key] = e.value, nil
	}
	for key := range values {
		every[key] = nil
	}
	var wants, gots []string
	for _, key := range keys(every) {
		value, there := values[key]
		pattern, wanted := patterns[key]
		name := show(key, "") + ": "
		switch {
		case !there:
			wants = append(wants, name+pattern.source())
		case wanted:
			w, g := s.match(pattern, value, deeper(indent))
			wants, gots = append(wants, name+w), append(gots, name+g)
		default:
			g := name + show(value, deeper(indent))
			gots = append(gots, g)
			if p.open {
				wants = append(wants, g)
			}
		}
	}
	return braces(wants, indent), braces(gots, indent)
}

// test is a function that stands for a pattern.
type test func(s *stage, p call, v any, indent string) (want, got string)

// tests are the functions that only patterns have.
func tests() map[string]test {
	return map[string]test{
		"bytes":   matchBytes,                  // bytes(n): n bytes
		"not":     matchNot,                    // not(x): anything but x
		"auth":    inner(1, authenticatorData), // auth({…}): authenticator data
		"decrypt": inner(2, (*stage).decrypt),  // decrypt($shared, x): what is encrypted
		"prefix":  inner(2, (*stage).prefix),   // prefix(n, x): the first n bytes
		"signed":  matchSigned,                 // signed($key, $authData, hash): its signature
	}
}

func matchBytes(s *stage, p call, v any, indent string) (want, got string) {
	got = show(v, indent)
	n, err := s.value(p.args[0])
	if b, ok := v.([]byte); ok && err == nil && n == int64(len(b)) {
		return got, got
	}
	return p.source(), got
}

func matchNot(s *stage, p call, v any, indent string) (want, got string) {
	got = show(v, indent)
	if w, _ := s.match(p.args[0], v, indent); w != got {
		return got, got
	}
	return p.source(), got
}

// inner makes a test of what open finds in the value, by the pattern that is the last of
// the arguments.
func inner(args int, open func(s *stage, args []node, v any) (any, error)) test {
	return func(s *stage, p call, v any, indent string) (want, got string) {
		if len(p.args) != args {
			return p.source() + fmt.Sprintf(" # takes %d arguments", args), show(v, indent)
		}
		found, err := open(s, p.args, v)
		if err != nil {
			return p.source() + " # " + err.Error(), show(v, indent)
		}
		want, got = s.match(p.args[args-1], found, indent)
		return p.name + "(" + want + ")", p.name + "(" + got + ")"
	}
}

// authenticatorData gives authenticator data as a map.
func authenticatorData(_ *stage, _ []node, v any) (any, error) {
	raw, _ := v.([]byte)
	data, err := webauthn.ParseAuthenticatorData(raw)
	if err != nil {
		return nil, err
	}
	out := map[any]any{"rpIdHash": data.RPIDHash[:], "flags": flags(data.Flags), "signCount": int64(data.SignCount)}
	if data.Attested != nil {
		out["aaguid"] = data.Attested.AAGUID.String()
		out["credentialId"] = data.Attested.CredentialID
		item, err := cbor.Marshal(data.Attested.PublicKey)
		if err != nil {
			return nil, err
		}
		if out["publicKey"], err = decode(item); err != nil {
			return nil, err
		}
	}
	if len(data.Extensions) > 0 {
		out["extensions"], err = decode(data.Extensions)
	}
	return out, err
}

func flags(f webauthn.Flags) string {
	var all []string
	for i, name := range []string{"UP", "0x02", "UV", "BE", "BS", "0x20", "AT", "ED"} {
		if f&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func (s *stage) decrypt(args []node, v any) (any, error) {
	key, err := s.value(args[0])
	if err != nil {
		return nil, err
	}
	shared, ok := key.(*agreement)
	encrypted, isBytes := v.([]byte)
	if !ok || !isBytes {
		return nil, fmt.Errorf("%s does not decrypt this", args[0].source())
	}
	plain, err := shared.Decrypt(encrypted)
	return plain.Reveal(), err
}

func (s *stage) prefix(args []node, v any) (any, error) {
	n, err := s.value(args[0])
	count, _ := n.(int64)
	b, ok := v.([]byte)
	if err != nil || !ok || count > int64(len(b)) {
		return nil, fmt.Errorf("not so many bytes: %w", err)
	}
	return b[:count], nil
}

// matchSigned checks an ECDSA signature as a relying party does.
func matchSigned(s *stage, p call, v any, indent string) (want, got string) {
	got = show(v, indent)
	args, err := s.values(p.args)
	if err != nil || len(args) != 3 {
		return p.source() + " # takes a key, authenticator data and a hash", got
	}
	public, err := asKey(args[0])
	signature, _ := v.([]byte)
	data, okData := args[1].([]byte)
	hash, okHash := args[2].([]byte)
	if err != nil || !okData || !okHash {
		return p.source() + " # of what is none", got
	}
	signer, err := public.ECDSA()
	if err != nil {
		return p.source() + " # " + err.Error(), got
	}
	if ecdsa.VerifyASN1(signer, digest(public.Algorithm, append(append([]byte(nil), data...), hash...)), signature) {
		return got, got
	}
	return p.source() + " # does not verify", got
}

func digest(a cose.Algorithm, message []byte) []byte {
	if a == cose.ES384 {
		sum := sha512.Sum384(message)
		return sum[:]
	}
	sum := sha256.Sum256(message)
	return sum[:]
}

// asKey reads a COSE key.
func asKey(v any) (key cose.Key, err error) {
	item, err := cbor.Marshal(v)
	if err != nil {
		return key, err
	}
	return key, cbor.Unmarshal(item, &key)
}

// agreement is a shared secret, and the platform's half of the agreement.
type agreement struct {
	*pinuv.Shared
	public any
}
