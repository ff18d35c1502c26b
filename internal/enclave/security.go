package enclave

// Symbol is a constant of the Security framework, by its name there.
type Symbol string

// Attribute is one entry of an attribute dictionary. The name is a Symbol's, or a
// literal where there is no public symbol. The value is a Symbol, bool, int, []byte,
// string, Access, Attributes, or a macos.ID for an object.
type Attribute struct {
	Name  Symbol
	Value any
}

// Attributes is an attribute dictionary.
type Attributes []Attribute

// Access is what SecAccessControlCreateWithFlags makes.
type Access struct {
	Accessible Symbol
	Flags      uint
}

// Security is what the keys need of the Security framework. Errors are *macos.Error.
type Security interface {
	// CreateKey is SecKeyCreateRandomKey.
	CreateKey(a Attributes) (SecKey, error)
	// OpenKey is SecKeyCreateWithData.
	OpenKey(data []byte, a Attributes) (SecKey, error)
}

// SecKey is a private key that is open. It must be released.
type SecKey interface {
	// Attribute gives a data attribute, nil where there is none.
	Attribute(name Symbol) ([]byte, error)
	// Public gives the public key: 0x04 ‖ X ‖ Y.
	Public() ([]byte, error)
	// Use signs, or agrees on a key: see Operation.
	Use(o Operation, input []byte) ([]byte, error)
	Release()
}

// Operation is what a key is used for.
type Operation int

// Ours: the operations.
const (
	// SignDigest gives a DER signature of a SHA-256 digest.
	SignDigest Operation = iota + 1
	// Exchange gives the X coordinate of the private key times a point, the input.
	Exchange
)

// Capability is what this Mac can do.
type Capability struct {
	// Enclave: a key can be made in a Secure Enclave.
	Enclave bool
	// Problem says why not, nil where it can.
	Problem error
}

// Check makes a key that nobody can use for anything, and drops it.
func Check(s Security) Capability {
	key, err := s.CreateKey(create(flags(presenceOnly, 0)))
	if err != nil {
		return Capability{Problem: noEnclave(err)}
	}
	defer key.Release()
	if sealed, err := key.Attribute(tokenOID); err != nil || len(sealed) == 0 {
		return Capability{Problem: noEnclave(errNotSealed)}
	}
	return Capability{Enclave: true}
}
