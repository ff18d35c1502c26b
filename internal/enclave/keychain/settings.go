package keychain

import (
	"encoding/base64"

	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// This file is what the signed app's keys and entries are made with, all of it.
// The names are Apple's; internal/enclave/key.go says what the first three mean.
//
//   - kSecAttrAccessGroup: only programs signed by the same team for this group find
//     the item.
//   - kSecUseDataProtectionKeychain: the keychain that knows access groups. It does
//     not sync: items would have to ask for that, and these may not (ThisDeviceOnly).

// service tells our entries from other passwords of the group.
const service = "LocalPasskey"

// createKey is for SecKeyCreateRandomKey.
func (k Keychain) createKey(id []byte) enclave.Attributes {
	return enclave.Attributes{
		{Name: "kSecAttrKeyType", Value: enclave.Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
		{Name: "kSecAttrKeySizeInBits", Value: 256},
		{Name: "kSecAttrTokenID", Value: enclave.Symbol("kSecAttrTokenIDSecureEnclave")},
		{Name: "kSecUseDataProtectionKeychain", Value: true},
		{Name: "kSecPrivateKeyAttrs", Value: enclave.Attributes{
			{Name: "kSecAttrIsPermanent", Value: true},
			{Name: "kSecAttrApplicationTag", Value: id},
			{Name: "kSecAttrAccessGroup", Value: k.Group},
			{Name: "kSecAttrAccessControl", Value: enclave.Access{
				Accessible: "kSecAttrAccessibleWhenUnlockedThisDeviceOnly",
				Flags:      macos.KSecAccessControlPrivateKeyUsage | uint(k.Protection),
			}},
		}},
	}
}

// keys is the query for all our keys.
func (k Keychain) keys() enclave.Attributes {
	return enclave.Attributes{
		{Name: "kSecClass", Value: enclave.Symbol("kSecClassKey")},
		{Name: "kSecAttrKeyType", Value: enclave.Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
		{Name: "kSecAttrTokenID", Value: enclave.Symbol("kSecAttrTokenIDSecureEnclave")},
		{Name: "kSecAttrAccessGroup", Value: k.Group},
		{Name: "kSecUseDataProtectionKeychain", Value: true},
	}
}

// key is the query for one key.
func (k Keychain) key(id []byte) enclave.Attributes {
	return append(k.keys(), enclave.Attribute{Name: "kSecAttrApplicationTag", Value: id})
}

// entries is the query for all our entries.
func (k Keychain) entries() enclave.Attributes {
	return enclave.Attributes{
		{Name: "kSecClass", Value: enclave.Symbol("kSecClassGenericPassword")},
		{Name: "kSecAttrService", Value: service},
		{Name: "kSecAttrAccessGroup", Value: k.Group},
		{Name: "kSecUseDataProtectionKeychain", Value: true},
	}
}

// entry is the query for one entry.
func (k Keychain) entry(id []byte) enclave.Attributes {
	return append(k.entries(), enclave.Attribute{Name: "kSecAttrAccount", Value: account(id)})
}

// newEntry is for SecItemAdd.
func (k Keychain) newEntry(id, value []byte) enclave.Attributes {
	return append(
		k.entry(id),
		enclave.Attribute{Name: "kSecAttrAccessible", Value: enclave.Symbol("kSecAttrAccessibleWhenUnlockedThisDeviceOnly")},
		enclave.Attribute{Name: "kSecValueData", Value: value},
	)
}

// account is how an entry is named.
func account(id []byte) string { return base64.StdEncoding.EncodeToString(id) }
