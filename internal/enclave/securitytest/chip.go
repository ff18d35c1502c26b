package securitytest

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// Chip is one Secure Enclave and the keychain of one person.
type Chip struct {
	// Entitled: the process may use the keychain.
	Entitled bool
	// NoEnclave: there is none.
	NoEnclave bool
	// Locked: the screen is.
	Locked bool
	// FullDisk: nothing can be added to the keychain, or grow there.
	FullDisk bool
	// FingersChanged kills the keys of the fingers that were known before.
	FingersChanged bool

	mu      sync.Mutex
	sealed  map[string]*secretKey
	touched map[macos.ID]bool
	items   []enclave.Attributes
	faults  map[string][]int // calls that fail: 1 is the next
	calls   map[string]int
	asked   int
	open    int
}

// secretKey is a key that never leaves the chip.
type secretKey struct {
	private *ecdsa.PrivateKey
	blob    []byte // nil for a key that is in no enclave
	access  enclave.Access
}

var _ enclave.Security = (*Chip)(nil)

// New makes a chip without keys.
func New() *Chip {
	return &Chip{sealed: map[string]*secretKey{}, touched: map[macos.ID]bool{}, faults: map[string][]int{}, calls: map[string]int{}}
}

// Touch has a person put a finger on the sensor, for an LAContext.
func (c *Chip) Touch(context macos.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched[context] = true
}

// Invalidate ends an LAContext.
func (c *Chip) Invalidate(context macos.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.touched, context)
}

// Fail has the n-th call from now on fail: "create", "open", "public", "attribute",
// "use", "add", "find", "update", "delete". 1 is the next.
func (c *Chip) Fail(call string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[call] = append(c.faults[call], c.calls[call]+n)
}

// Heal has no call fail any more.
func (c *Chip) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.faults)
}

// Asked is how often the system has asked on its own.
func (c *Chip) Asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// Open is how many keys are open.
func (c *Chip) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Calls is how often something was called.
func (c *Chip) Calls(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

// call counts, and fails where it is to.
func (c *Chip) call(name string) error {
	c.calls[name]++
	if slices.Contains(c.faults[name], c.calls[name]) {
		return &macos.Error{Domain: macos.DomainOSStatus, Code: -1, Text: "the test wants " + name + " to fail"}
	}
	return nil
}

func status(code int) error {
	return &macos.Error{Domain: macos.DomainOSStatus, Code: code, Text: "error"}
}

// get finds an attribute.
func get(a enclave.Attributes, name enclave.Symbol) (any, bool) {
	for _, one := range a {
		if one.Name == name {
			return one.Value, true
		}
	}
	return nil, false
}

// CreateKey is SecKeyCreateRandomKey.
func (c *Chip) CreateKey(a enclave.Attributes) (enclave.SecKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.call("create"); err != nil {
		return nil, err
	}
	if kind, _ := get(a, "kSecAttrKeyType"); kind != enclave.Symbol("kSecAttrKeyTypeECSECPrimeRandom") {
		return nil, status(-50)
	}
	if bits, _ := get(a, "kSecAttrKeySizeInBits"); bits != 256 {
		return nil, status(-50)
	}
	token, _ := get(a, "kSecAttrTokenID")
	inChip := token == enclave.Symbol("kSecAttrTokenIDSecureEnclave")
	if inChip && c.NoEnclave {
		return nil, status(-4)
	}
	private, _ := get(a, "kSecPrivateKeyAttrs")
	attrs, _ := private.(enclave.Attributes)
	permanent, said := get(attrs, "kSecAttrIsPermanent")
	keep := permanent == true || inChip && !said
	if keep && !c.Entitled {
		return nil, status(macos.ErrSecMissingEntitlement)
	}
	access, _ := get(attrs, "kSecAttrAccessControl")
	control, _ := access.(enclave.Access)
	key, err := c.newKey(inChip, control)
	if err != nil {
		return nil, err
	}
	if keep {
		c.items = append(c.items, slices.Concat(enclave.Attributes{
			{Name: "kSecClass", Value: enclave.Symbol("kSecClassKey")}, {Name: "secret", Value: key},
		}, a, attrs))
	}
	return c.opened(key, 0), nil
}

// newKey makes a key; one of the chip that may not sign is of no use to anybody.
func (c *Chip) newKey(inChip bool, control enclave.Access) (*secretKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key := &secretKey{private: private, access: control}
	if inChip {
		key.blob = make([]byte, 570)
		_, _ = rand.Read(key.blob)
		c.sealed[string(key.blob)] = key
	}
	return key, nil
}

// OpenKey is SecKeyCreateWithData.
func (c *Chip) OpenKey(data []byte, a enclave.Attributes) (enclave.SecKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.call("open"); err != nil {
		return nil, err
	}
	for name, want := range map[enclave.Symbol]enclave.Symbol{
		"kSecAttrKeyClass": "kSecAttrKeyClassPrivate", "kSecAttrKeyType": "kSecAttrKeyTypeECSECPrimeRandom",
	} {
		if got, _ := get(a, name); got != want {
			return nil, status(-50)
		}
	}
	context, _ := get(a, "kSecUseAuthenticationContext")
	la, _ := context.(macos.ID)
	blob, said := get(a, macos.TokenOID)
	if !said {
		key, err := c.newKey(true, enclave.Access{})
		return c.opened(key, la), err
	}
	key := c.sealed[fmt.Sprintf("%s", blob)]
	if key == nil || string(data) != string(key.blob) {
		return nil, status(-26275)
	}
	return c.opened(key, la), nil
}

func (c *Chip) opened(key *secretKey, context macos.ID) enclave.SecKey {
	c.open++
	return &openKey{chip: c, key: key, context: context}
}

// openKey is a key that is open.
type openKey struct {
	chip    *Chip
	key     *secretKey
	context macos.ID
}

func (k *openKey) Attribute(name enclave.Symbol) ([]byte, error) {
	k.chip.mu.Lock()
	defer k.chip.mu.Unlock()
	if err := k.chip.call("attribute"); err != nil || name != macos.TokenOID {
		return nil, err
	}
	return k.key.blob, nil
}

func (k *openKey) Public() ([]byte, error) {
	k.chip.mu.Lock()
	defer k.chip.mu.Unlock()
	if err := k.chip.call("public"); err != nil {
		return nil, err
	}
	return k.key.private.PublicKey.Bytes()
}

func (k *openKey) Use(o enclave.Operation, input []byte) ([]byte, error) {
	k.chip.mu.Lock()
	defer k.chip.mu.Unlock()
	if err := k.chip.call("use"); err != nil {
		return nil, err
	}
	if err := k.chip.allowed(k); err != nil {
		return nil, err
	}
	if o == enclave.SignDigest {
		return ecdsa.SignASN1(rand.Reader, k.key.private, input)
	}
	private, err := k.key.private.ECDH()
	if err != nil {
		return nil, err
	}
	public, err := ecdh.P256().NewPublicKey(input)
	if err != nil {
		return nil, status(-50)
	}
	return private.ECDH(public)
}

// allowed is the chip's own check of a key's access control.
func (c *Chip) allowed(k *openKey) error {
	flags := k.key.access.Flags
	switch {
	case c.Locked && k.key.access.Accessible != "":
		return status(macos.ErrSecInteractionNotAllowed)
	case k.key.blob != nil && flags != 0 && flags&macos.KSecAccessControlPrivateKeyUsage == 0:
		return status(-25293)
	case flags&macos.KSecAccessControlBiometryCurrentSet != 0 && c.FingersChanged:
		return status(-25293)
	case flags&^macos.KSecAccessControlPrivateKeyUsage == 0:
		return nil
	case !c.touched[k.context]:
		c.asked++
	}
	return nil
}

func (k *openKey) Release() {
	k.chip.mu.Lock()
	defer k.chip.mu.Unlock()
	k.chip.open--
}
