package enclave

import (
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// This file is what every private key is made with, all of it. The names are Apple's.
//
//   - kSecAttrTokenIDSecureEnclave: the key is made inside the Secure Enclave and
//     cannot be read out of it, not by root and not by us.
//   - kSecAttrAccessibleWhenUnlockedThisDeviceOnly: never synced, never in a backup,
//     of no use while the Mac is locked.
//   - kSecAccessControlPrivateKeyUsage with kSecAccessControlBiometryAny: the Secure
//     Enclave itself wants a finger before it signs.

// Protection is what the Secure Enclave demands before a key works. It is fixed
// when a key is made.
type Protection uint

// The protections that can be set up. BiometryAny is the rule.
const (
	// BiometryAny is a finger that Touch ID knows, those added later too.
	BiometryAny Protection = macos.KSecAccessControlBiometryAny
	// BiometryCurrentSet is a finger that Touch ID knows now: adding or removing one
	// kills the key.
	BiometryCurrentSet Protection = macos.KSecAccessControlBiometryCurrentSet
	// UserPresence is a finger or the login password: for Macs without Touch ID.
	UserPresence Protection = macos.KSecAccessControlUserPresence
)

// String says a protection in words.
func (p Protection) String() string {
	switch p {
	case BiometryAny:
		return "a finger"
	case BiometryCurrentSet:
		return "a finger of those enrolled when the key was made"
	case UserPresence:
		return "a finger or the login password"
	default:
		return "an unknown protection"
	}
}

// create is for SecKeyCreateRandomKey.
func create(accessFlags uint) Attributes {
	return Attributes{
		{"kSecAttrKeyType", Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
		{"kSecAttrKeySizeInBits", 256},
		{"kSecAttrTokenID", Symbol("kSecAttrTokenIDSecureEnclave")},
		{"kSecPrivateKeyAttrs", Attributes{
			// Not left out: the default for keys of a token is true, which puts
			// the key into a keychain that this program has no right to.
			{"kSecAttrIsPermanent", false},
			{"kSecAttrAccessControl", Access{
				Accessible: "kSecAttrAccessibleWhenUnlockedThisDeviceOnly",
				Flags:      accessFlags,
			}},
		}},
	}
}

// flags are the access control of a key.
func flags(b authenticator.Binding, p Protection) uint {
	if b == authenticator.PresenceOnly {
		return macos.KSecAccessControlPrivateKeyUsage // no finger: hmac-secret's key for requests without verification
	}
	return macos.KSecAccessControlPrivateKeyUsage | uint(p)
}

// reopen is for SecKeyCreateWithData with the sealed key. context is the LAContext
// of the person's gesture, 0 for none.
func reopen(sealed []byte, context macos.ID) Attributes {
	a := Attributes{
		{"kSecAttrTokenID", Symbol("kSecAttrTokenIDSecureEnclave")},
		{"kSecAttrKeyType", Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
		{"kSecAttrKeyClass", Symbol("kSecAttrKeyClassPrivate")},
		{macos.TokenOID, sealed},
	}
	if context != 0 {
		a = append(a, Attribute{"kSecUseAuthenticationContext", context})
	}
	return a
}
