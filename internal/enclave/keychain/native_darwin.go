package keychain

import (
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
)

// Native is this Mac's keychain. Lib must have loaded "Security" and
// "LocalAuthentication". It translates and decides nothing.
type Native struct{ Lib *macos.Library }

var (
	_ Security = Native{}
	_ Items    = Native{}
	_ Sheets   = Native{}
)

// CreateKey is SecKeyCreateRandomKey.
func (n Native) CreateKey(a enclave.Attributes) (enclave.SecKey, error) {
	return enclave.Native(n.Lib).CreateKey(a)
}

// FindKey is SecItemCopyMatching for a reference.
func (n Native) FindKey(query enclave.Attributes) (key enclave.SecKey, err error) {
	query = append(query, enclave.Attribute{Name: "kSecReturnRef", Value: true})
	err = n.with(query, func(dictionary macos.Ref) error {
		var found macos.Ref
		if err := n.Lib.Status(n.Lib.C.SecItemCopyMatching(dictionary, &found)); err != nil {
			return err
		}
		key = enclave.Open(n.Lib, found)
		return nil
	})
	return key, err
}

// with makes a dictionary for do.
func (n Native) with(a enclave.Attributes, do func(dictionary macos.Ref) error) (err error) {
	n.Lib.Pool(func() {
		var d macos.Ref
		if d, err = enclave.Dictionary(n.Lib, a); err != nil {
			return
		}
		defer n.Lib.Release(d)
		err = do(d)
	})
	return err
}

// Add is SecItemAdd.
func (n Native) Add(a enclave.Attributes) error {
	return n.with(a, func(d macos.Ref) error {
		var added macos.Ref
		defer func() { n.Lib.Release(added) }()
		return n.Lib.Status(n.Lib.C.SecItemAdd(d, &added))
	})
}

// Update is SecItemUpdate.
func (n Native) Update(query, change enclave.Attributes) error {
	return n.with(query, func(q macos.Ref) error {
		return n.with(change, func(c macos.Ref) error { return n.Lib.Status(n.Lib.C.SecItemUpdate(q, c)) })
	})
}

// Delete is SecItemDelete.
func (n Native) Delete(query enclave.Attributes) error {
	return n.with(query, func(q macos.Ref) error { return n.Lib.Status(n.Lib.C.SecItemDelete(q)) })
}

// Find is SecItemCopyMatching for attributes: of one item a dictionary, of several an
// array of them.
func (n Native) Find(query enclave.Attributes) (items []Item, err error) {
	err = n.with(query, func(q macos.Ref) error {
		var found macos.Ref
		if err := n.Lib.Status(n.Lib.C.SecItemCopyMatching(q, &found)); err != nil {
			return err
		}
		defer n.Lib.Release(found)
		if n.Lib.C.CFGetTypeID(found) != n.Lib.C.CFArrayGetTypeID() {
			items = []Item{n.item(found)}
			return nil
		}
		for _, one := range n.Lib.Items(found) {
			items = append(items, n.item(one))
		}
		return nil
	})
	return items, err
}

// item copies what is asked of items.
func (n Native) item(dictionary macos.Ref) Item {
	get := func(name macos.Ref) macos.Ref { return n.Lib.C.CFDictionaryGetValue(dictionary, name) }
	return Item{
		"kSecAttrApplicationTag": n.Lib.Bytes(get(n.Lib.K.ApplicationTag)),
		"kSecAttrAccount":        []byte(n.Lib.Text(get(n.Lib.K.Account))),
		"kSecValueData":          n.Lib.Bytes(get(n.Lib.K.ValueData)),
	}
}

// Sheet makes an LAContext that nobody has answered yet: the key's own access
// control asks when it is used.
func (n Native) Sheet(reason string) *gesture.Gesture {
	la := n.Lib.New("LAContext")
	n.Lib.Pool(func() {
		text := n.Lib.String(reason)
		defer n.Lib.Release(text)
		n.Lib.Send.SetReuseDuration(la, 0)
		n.Lib.Send.SetLocalizedReason(la, text)
	})
	return gesture.New(la, func(la macos.ID) {
		n.Lib.Pool(func() {
			n.Lib.Send.Invalidate(la)
			n.Lib.Send.Release(la)
		})
	})
}
