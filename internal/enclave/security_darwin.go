package enclave

import (
	"fmt"

	"github.com/localpasskey/localpasskey/internal/macos"
)

// native is Security on a Mac. It translates and decides nothing.
type native struct{ lib *macos.Library }

// Native gives this Mac's Security. lib must have loaded "Security".
func Native(lib *macos.Library) Security { return native{lib} }

// CreateKey is SecKeyCreateRandomKey.
func (n native) CreateKey(a Attributes) (SecKey, error) {
	return n.key(a, func(attributes macos.Ref, err *macos.Ref) macos.Ref {
		return n.lib.C.SecKeyCreateRandomKey(attributes, err)
	})
}

// OpenKey is SecKeyCreateWithData.
func (n native) OpenKey(content []byte, a Attributes) (SecKey, error) {
	data := n.lib.Data(content)
	defer n.lib.Release(data)
	return n.key(a, func(attributes macos.Ref, err *macos.Ref) macos.Ref {
		return n.lib.C.SecKeyCreateWithData(data, attributes, err)
	})
}

// key gives what by makes with a.
func (n native) key(a Attributes, by func(attributes macos.Ref, err *macos.Ref) macos.Ref) (key SecKey, err error) {
	n.lib.Pool(func() {
		var attributes, failure macos.Ref
		if attributes, err = Dictionary(n.lib, a); err != nil {
			return
		}
		defer n.lib.Release(attributes)
		made := by(attributes, &failure)
		if made == 0 {
			err = n.lib.Taken(failure)
			return
		}
		key = nativeKey{lib: n.lib, ref: made}
	})
	return key, err
}

// nativeKey is a SecKeyRef.
type nativeKey struct {
	lib *macos.Library
	ref macos.Ref
}

// Open makes a SecKey of a SecKeyRef, and takes it over.
func Open(lib *macos.Library, ref macos.Ref) SecKey { return nativeKey{lib: lib, ref: ref} }

// Release lets the key go.
func (k nativeKey) Release() { k.lib.Release(k.ref) }

// Attribute reads a data attribute.
func (k nativeKey) Attribute(name Symbol) (content []byte, err error) {
	k.lib.Pool(func() {
		attributes := k.lib.C.SecKeyCopyAttributes(k.ref)
		defer k.lib.Release(attributes)
		key, own, failed := symbol(k.lib, name)
		defer k.lib.Release(own)
		if attributes == 0 || failed != nil {
			err = failed
			return
		}
		content = k.lib.Bytes(k.lib.C.CFDictionaryGetValue(attributes, key))
	})
	return content, err
}

// Public gives the public key.
func (k nativeKey) Public() (point []byte, err error) {
	k.lib.Pool(func() {
		public := k.lib.C.SecKeyCopyPublicKey(k.ref)
		if public == 0 {
			err = &macos.Error{Text: "the key has no public key"}
			return
		}
		defer k.lib.Release(public)
		var failure macos.Ref
		point, err = k.content(k.lib.C.SecKeyCopyExternalRepresentation(public, &failure), failure)
	})
	return point, err
}

// content takes data over, or the error that came instead.
func (k nativeKey) content(data, failure macos.Ref) ([]byte, error) {
	if data == 0 {
		return nil, k.lib.Taken(failure)
	}
	defer k.lib.Release(data)
	return k.lib.Bytes(data), nil
}

// Use signs a digest, or agrees on a key.
func (k nativeKey) Use(o Operation, input []byte) (output []byte, err error) {
	k.lib.Pool(func() {
		data := k.lib.Data(input)
		defer k.lib.Release(data)
		var failure macos.Ref
		if o == SignDigest {
			output, err = k.content(k.lib.C.SecKeyCreateSignature(k.ref, k.lib.K.ECDSASignatureDigestX962SHA256, data, &failure), failure)
			return
		}
		output, err = k.exchange(data)
	})
	return output, err
}

// exchange agrees on a key with the point in data.
func (k nativeKey) exchange(data macos.Ref) ([]byte, error) {
	attributes, err := Dictionary(k.lib, Attributes{
		{"kSecAttrKeyType", Symbol("kSecAttrKeyTypeECSECPrimeRandom")}, {"kSecAttrKeyClass", Symbol("kSecAttrKeyClassPublic")},
	})
	if err != nil {
		return nil, err
	}
	defer k.lib.Release(attributes)
	var failure macos.Ref
	public := k.lib.C.SecKeyCreateWithData(data, attributes, &failure)
	if public == 0 {
		return nil, k.lib.Taken(failure)
	}
	defer k.lib.Release(public)
	parameters := k.lib.Dict()
	defer k.lib.Release(parameters)
	return k.content(k.lib.C.SecKeyCopyKeyExchangeResult(k.ref, k.lib.K.ECDHKeyExchangeStandard, public, parameters, &failure), failure)
}

// symbol gives a constant, or a string of its own that is to be released.
func symbol(lib *macos.Library, name Symbol) (ref, own macos.Ref, err error) {
	if name == macos.TokenOID {
		own = lib.String(macos.TokenOID)
		return own, own, nil
	}
	if ref = lib.Constant(string(name)); ref == 0 {
		return 0, 0, fmt.Errorf("macOS has no %s", name)
	}
	return ref, 0, nil
}

// Dictionary makes a CFDictionary of a; the caller releases it.
func Dictionary(lib *macos.Library, a Attributes) (macos.Ref, error) {
	d := lib.Dict()
	for _, one := range a {
		key, own, err := symbol(lib, one.Name)
		if err != nil {
			lib.Release(d)
			return 0, err
		}
		value, made, err := toValue(lib, one.Value)
		if err == nil {
			lib.C.CFDictionarySetValue(d, key, value)
		}
		lib.Release(own, made)
		if err != nil {
			lib.Release(d)
			return 0, err
		}
	}
	return d, nil
}

// toValue translates a value; made is to be released.
func toValue(lib *macos.Library, v any) (value, made macos.Ref, err error) {
	switch v := v.(type) {
	case Symbol:
		return symbol(lib, v)
	case bool:
		if v {
			return lib.K.True, 0, nil
		}
		return lib.K.False, 0, nil
	case macos.ID:
		return macos.Ref(v), 0, nil
	case int:
		made = lib.Number(int64(v))
	case []byte:
		made = lib.Data(v)
	case string:
		made = lib.String(v)
	case Attributes:
		made, err = Dictionary(lib, v)
	case Access:
		made, err = control(lib, v)
	default:
		err = fmt.Errorf("no attribute is a %T", v)
	}
	return made, made, err
}

// control makes a SecAccessControl.
func control(lib *macos.Library, a Access) (macos.Ref, error) {
	accessible, _, err := symbol(lib, a.Accessible)
	if err != nil {
		return 0, err
	}
	var failure macos.Ref
	c := lib.C.SecAccessControlCreateWithFlags(0, accessible, a.Flags, &failure)
	if c == 0 {
		return 0, lib.Taken(failure)
	}
	return c, nil
}
