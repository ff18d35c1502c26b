package securitytest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/macos"
)

var (
	_ keychain.Security = (*Chip)(nil)
	_ keychain.Items    = (*Chip)(nil)
)

// Items is how many items the data-protection keychain has of a class.
func (c *Chip) Items(class enclave.Symbol) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, item := range c.items {
		if is, _ := get(item, "kSecClass"); is == class {
			n++
		}
	}
	return n
}

// admitted is what macOS checks of every query: it wants the data-protection
// keychain, and the group that the process is signed for. Without the former it
// would look elsewhere and find nothing.
func (c *Chip) admitted(query enclave.Attributes) error {
	if protected, _ := get(query, "kSecUseDataProtectionKeychain"); protected != true {
		return status(macos.ErrSecItemNotFound)
	}
	if group, _ := get(query, "kSecAttrAccessGroup"); !c.Entitled || group == "" || group == nil {
		return status(macos.ErrSecMissingEntitlement)
	}
	return nil
}

// matches compares an item with what a query says of it.
func matches(item, query enclave.Attributes) bool {
	for _, want := range query {
		switch want.Name {
		case "kSecUseDataProtectionKeychain", "kSecUseAuthenticationContext", "kSecReturnAttributes", "kSecReturnData", "kSecReturnRef", "kSecMatchLimit":
			continue
		}
		if is, ok := get(item, want.Name); !ok || !reflect.DeepEqual(is, want.Value) {
			return false
		}
	}
	return true
}

// find gives the places of the items that match.
func (c *Chip) find(call string, query enclave.Attributes) ([]int, error) {
	if err := c.call(call); err != nil {
		return nil, err
	}
	if err := c.admitted(query); err != nil {
		return nil, err
	}
	var found []int
	for i, item := range c.items {
		if matches(item, query) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return nil, status(macos.ErrSecItemNotFound)
	}
	if c.Locked {
		return nil, status(macos.ErrSecInteractionNotAllowed)
	}
	return found, nil
}

// Add is SecItemAdd.
func (c *Chip) Add(a enclave.Attributes) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.call("add"); err != nil {
		return err
	}
	if c.FullDisk {
		return status(macos.ErrSecDiskFull)
	}
	if err := c.admitted(a); err != nil {
		return err
	}
	name := slices.DeleteFunc(slices.Clone(a), func(one enclave.Attribute) bool {
		return one.Name == "kSecValueData" || one.Name == "kSecAttrAccessible"
	})
	if slices.ContainsFunc(c.items, func(item enclave.Attributes) bool { return matches(item, name) }) {
		return status(macos.ErrSecDuplicateItem)
	}
	c.items = append(c.items, slices.Clone(a))
	return nil
}

// Find is SecItemCopyMatching. The content of several items at once is refused, as
// Apple's documentation has it.
func (c *Chip) Find(query enclave.Attributes) ([]keychain.Item, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit, _ := get(query, "kSecMatchLimit")
	content, _ := get(query, "kSecReturnData")
	if limit != nil && content != nil {
		return nil, status(-50)
	}
	found, err := c.find("find", query)
	if err != nil {
		return nil, err
	}
	if limit == nil {
		found = found[:1]
	}
	var items []keychain.Item
	for _, i := range found {
		item := keychain.Item{}
		for _, one := range c.items[i] {
			if one.Name != "kSecValueData" || content == true {
				item[one.Name] = plain(one.Value)
			}
		}
		items = append(items, item)
	}
	return items, nil
}

// plain gives data and text as bytes.
func plain(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case string:
		return []byte(v)
	default:
		return fmt.Append(nil, v)
	}
}

// FindKey is SecItemCopyMatching for a reference to a key.
func (c *Chip) FindKey(query enclave.Attributes) (enclave.SecKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.find("find key", query)
	if err != nil {
		return nil, err
	}
	value, _ := get(c.items[found[0]], "secret")
	key, ok := value.(*secretKey)
	if !ok {
		return nil, status(-50)
	}
	context, _ := get(query, "kSecUseAuthenticationContext")
	la, _ := context.(macos.ID)
	return c.opened(key, la), nil
}

// Update is SecItemUpdate.
func (c *Chip) Update(query, change enclave.Attributes) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.find("update", query)
	if err != nil {
		return err
	}
	for _, i := range found {
		for _, one := range change {
			at := slices.IndexFunc(c.items[i], func(is enclave.Attribute) bool { return is.Name == one.Name })
			if at < 0 {
				c.items[i] = append(c.items[i], one)
				continue
			}
			c.items[i][at] = one
		}
	}
	return nil
}

// Delete is SecItemDelete.
func (c *Chip) Delete(query enclave.Attributes) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.find("delete", query)
	if err != nil {
		return err
	}
	for _, i := range slices.Backward(found) {
		c.items = slices.Delete(c.items, i, i+1)
	}
	return nil
}
