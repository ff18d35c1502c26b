package transcript

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

var errArguments = errors.New("arguments of another number or kind")

// function works a value out.
type function func(s *stage, args []any) (any, error)

// functions are those of values. Texts count as their UTF-8 bytes.
func functions() map[string]function {
	return map[string]function{
		"utf8":   onBytes(func(b []byte) any { return b }),
		"sha256": onBytes(func(b []byte) any { sum := sha256.Sum256(b); return sum[:] }),
		"flip":   onBytes(func(b []byte) any { b[0] ^= 1; return b }), // another first bit
		"cat": func(_ *stage, args []any) (any, error) { // all one after another
			var all []byte
			for _, arg := range args {
				b, ok := asBytes(arg)
				if !ok {
					return nil, errArguments
				}
				all = append(all, b...)
			}
			return all, nil
		},
		"pad":  sized(func(b []byte, n int) any { return append(b, make([]byte, n-len(b))...) }), // with zeros
		"cut":  sized(func(b []byte, n int) any { return b[:n] }),
		"rep":  sized(func(b []byte, n int) any { return bytes.Repeat(b, n) }),
		"text": sized(func(b []byte, n int) any { return string(bytes.Repeat(b, n)) }),
		"cbor": func(_ *stage, args []any) (any, error) { // encoded
			if len(args) != 1 {
				return nil, errArguments
			}
			return cbor.Marshal(args[0])
		},
		"agree":   agree,   // agree(protocol, their key): a shared secret
		"public":  public,  // public($shared): our half of the agreement
		"encrypt": encrypt, // encrypt($shared, x)
		"mac":     mac,     // mac($shared or $token, x): authenticate
		"held":    held,    // held(protocol, x): the token that x was the secret of
		"token":   token,   // token(protocol, PIN, permissions, RP ID): got from the device
		"legacy":  legacy,  // legacy(protocol, PIN): a token as CTAP 2.0 had it
		"setpin":  setPIN,  // setpin(protocol, PIN)
	}
}

func (s *stage) values(nodes []node) (all []any, err error) {
	for _, n := range nodes {
		v, err := s.value(n)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// value works a node out.
func (s *stage) value(n node) (any, error) {
	switch n := n.(type) {
	case literal:
		return n.value, nil
	case ref:
		if v, ok := s.names[n.name]; ok {
			return v, nil
		}
		return nil, fmt.Errorf("$%s is not known yet", n.name)
	case list:
		all, err := s.values(n.items)
		return append([]any{}, all...), err
	case mapping:
		out := make(map[any]any, len(n.entries))
		for _, e := range n.entries {
			v, err := s.value(e.value)
			if err != nil {
				return nil, err
			}
			out[e.key] = v
		}
		return out, nil
	case call:
		do, ok := functions()[n.name]
		if !ok {
			return nil, fmt.Errorf("no function is called %s", n.name)
		}
		args, err := s.values(n.args)
		if err != nil {
			return nil, err
		}
		v, err := do(s, args)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		return v, nil
	default:
		return nil, fmt.Errorf("%s is a pattern, not a value", n.source())
	}
}

// asBytes gives a copy.
func asBytes(v any) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v), true
	case string:
		return []byte(v), true
	default:
		return nil, false
	}
}

func onBytes(do func([]byte) any) function {
	return func(_ *stage, args []any) (any, error) {
		if len(args) == 1 {
			if b, ok := asBytes(args[0]); ok {
				return do(b), nil
			}
		}
		return nil, errArguments
	}
}

// sized is a function of bytes and a number.
func sized(do func([]byte, int) any) function {
	return func(_ *stage, args []any) (any, error) {
		if len(args) != 2 {
			return nil, errArguments
		}
		b, ok := asBytes(args[0])
		n, isNumber := args[1].(int64)
		if !ok || !isNumber {
			return nil, errArguments
		}
		return do(b, int(n)), nil
	}
}

// protocol is the first argument of many.
func protocol(args []any, want int) (pinuv.Protocol, error) {
	if len(args) != want {
		return 0, errArguments
	}
	n, ok := args[0].(int64)
	if !ok || n < 0 {
		return 0, errArguments
	}
	return pinuv.Protocol(n), nil
}

func agree(_ *stage, args []any) (any, error) {
	p, err := protocol(args, 2)
	if err != nil {
		return nil, err
	}
	theirs, err := asKey(args[1])
	if err != nil {
		return nil, err
	}
	ours, shared, err := pinuv.Encapsulate(p, theirs)
	if err != nil {
		return nil, err
	}
	item, err := cbor.Marshal(ours)
	if err != nil {
		return nil, err
	}
	half, err := decode(item)
	return &agreement{shared, half}, err
}

func public(_ *stage, args []any) (any, error) {
	if len(args) == 1 {
		if a, ok := args[0].(*agreement); ok {
			return a.public, nil
		}
	}
	return nil, errArguments
}

func encrypt(_ *stage, args []any) (any, error) {
	if len(args) == 2 {
		a, ok := args[0].(*agreement)
		b, isBytes := asBytes(args[1])
		if ok && isBytes {
			return a.Encrypt(b)
		}
	}
	return nil, errArguments
}

func mac(_ *stage, args []any) (any, error) {
	if len(args) == 2 {
		key, ok := args[0].(interface{ Authenticate(msg []byte) []byte })
		b, isBytes := asBytes(args[1])
		if ok && isBytes {
			return key.Authenticate(b), nil
		}
	}
	return nil, errArguments
}

func held(_ *stage, args []any) (any, error) {
	p, err := protocol(args, 2)
	if err != nil {
		return nil, err
	}
	b, ok := args[1].([]byte)
	if !ok {
		return nil, errArguments
	}
	return pinuv.NewToken(p, secret.Of(bytes.Clone(b))), nil
}

// platform is the client's side of the PIN protocol.
func (s *stage) platform(p pinuv.Protocol) ctap.Platform {
	return ctap.Platform{Authenticator: s.channel(), Protocol: p}
}

func token(s *stage, args []any) (any, error) {
	p, err := protocol(args, 4)
	if err != nil {
		return nil, err
	}
	pin, isText := args[1].(string)
	permissions, isNumber := args[2].(int64)
	rpID, named := args[3].(string)
	if !isText || !isNumber || !named || permissions < 0 {
		return nil, errArguments
	}
	return s.platform(p).TokenWithPIN(s.ctx, secret.Of([]byte(pin)), ctap.Permission(permissions), rpID)
}

func legacy(s *stage, args []any) (any, error) {
	p, err := protocol(args, 2)
	if err != nil {
		return nil, err
	}
	pin, ok := args[1].(string)
	if !ok {
		return nil, errArguments
	}
	return s.platform(p).LegacyToken(s.ctx, secret.Of([]byte(pin)))
}

func setPIN(s *stage, args []any) (any, error) {
	p, err := protocol(args, 2)
	if err != nil {
		return nil, err
	}
	pin, ok := args[1].(string)
	if !ok {
		return nil, errArguments
	}
	return nil, s.platform(p).SetPIN(s.ctx, secret.Of([]byte(pin)))
}
