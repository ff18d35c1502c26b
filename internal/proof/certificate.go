package proof

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm/attest"
)

// Chip is what the certificate of an endorsement key tells of the TPM.
type Chip struct {
	Manufacturer string // the TCG's vendor id, "id:53544D20", or empty
	Model        string
	Version      string
	Issuer       string // who has signed the certificate
	Root         string // the CA that was trusted for it
}

// From the specification: TCG EK Credential Profile for TPM 2.0, its object identifiers.
func oidEndorsement() asn1.ObjectIdentifier  { return asn1.ObjectIdentifier{2, 23, 133, 8, 1} }
func oidManufacturer() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 23, 133, 2, 1} }
func oidModel() asn1.ObjectIdentifier        { return asn1.ObjectIdentifier{2, 23, 133, 2, 2} }
func oidVersion() asn1.ObjectIdentifier      { return asn1.ObjectIdentifier{2, 23, 133, 2, 3} }

// oidOAEP is id-RSAES-OAEP (RFC 4055 §4).
func oidOAEP() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7} }

// oidAlternativeName is id-ce-subjectAltName (RFC 5280 §4.2.1.6).
func oidAlternativeName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 17} }

// Trust is which CAs vouch for TPMs, in a verifier's opinion.
type Trust struct {
	roots *x509.CertPool
	at    time.Time // when certificates have to be valid
}

// NewTrust trusts nobody yet. Certificates have to be valid at that time.
func NewTrust(at time.Time) Trust { return Trust{x509.NewCertPool(), at} }

// Add trusts every certificate in b, PEM, or the one that b is, DER: a maker's root, or
// one below it.
func (t Trust) Add(b []byte) error {
	if block, _ := pem.Decode(b); block == nil {
		return t.add(b)
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("%w: it holds a %q", ErrDocument, block.Type)
		}
		if err := t.add(block.Bytes); err != nil {
			return err
		}
	}
}

func (t Trust) add(der []byte) error {
	one, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	t.roots.AddCert(one)
	return nil
}

// endorsement checks the claim's certificate and gives the endorsement key that it is for.
func (t Trust) endorsement(c *Claim) (tpm2.TPMTPublic, Chip, error) {
	refuse := func(err error) (tpm2.TPMTPublic, Chip, error) {
		return tpm2.TPMTPublic{}, Chip{}, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate)
	if err != nil {
		return refuse(err)
	}
	between := x509.NewCertPool()
	for _, der := range c.Chain {
		if one, err := x509.ParseCertificate(der); err == nil { // what cannot be read vouches for nothing
			between.AddCert(one)
		}
	}
	// TPM makers put the chip's name into a critical subjectAltName as a directory name,
	// of which crypto/x509 knows nothing. We do: it is read below.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(leaf.UnhandledCriticalExtensions, oidAlternativeName().Equal)
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: t.roots, Intermediates: between, CurrentTime: t.at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return refuse(err)
	}
	// The same CA may have certified keys that are no endorsement keys.
	if leaf.IsCA || !slices.ContainsFunc(leaf.UnknownExtKeyUsage, oidEndorsement().Equal) {
		return refuse(fmt.Errorf("the certificate is not an endorsement key's"))
	}
	key, err := attest.Endorsement(publicKeyOf(leaf))
	if err != nil {
		return refuse(err)
	}
	chip := describe(leaf)
	chip.Issuer = leaf.Issuer.String()
	chip.Root = chains[0][len(chains[0])-1].Subject.String()
	return key, chip, nil
}

// publicKeyOf is the certificate's key. Some makers call an RSA key one for OAEP alone,
// which it is, and crypto/x509 does not read (RFC 4055 §4).
func publicKeyOf(leaf *x509.Certificate) any {
	if leaf.PublicKey != nil {
		return leaf.PublicKey
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(leaf.RawSubjectPublicKeyInfo, &info); err != nil || len(rest) != 0 || !info.Algorithm.Algorithm.Equal(oidOAEP()) {
		return nil
	}
	key, err := x509.ParsePKCS1PublicKey(info.Key.RightAlign())
	if err != nil {
		return nil
	}
	return key
}

// describe reads the chip's name, as far as there is one: it is for people.
func describe(leaf *x509.Certificate) (chip Chip) {
	const directoryName = 4 // RFC 5280 §4.2.1.6
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidAlternativeName()) {
			continue
		}
		var names []asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &names); err != nil {
			continue
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == directoryName {
				chip.read(name.Bytes)
			}
		}
	}
	return chip
}

// attribute is AttributeTypeAndValue (RFC 5280 §4.1.2.4).
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value any
}

// read reads a Name, whose attributes some makers put into one set and others into one
// each.
func (c *Chip) read(der []byte) {
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sets); err != nil {
		return
	}
	for _, set := range sets {
		for rest := set.Bytes; len(rest) > 0; {
			var a attribute
			var err error
			if rest, err = asn1.Unmarshal(rest, &a); err != nil {
				return
			}
			text, ok := a.Value.(string)
			if !ok {
				continue
			}
			switch {
			case a.Type.Equal(oidManufacturer()):
				c.Manufacturer = text
			case a.Type.Equal(oidModel()):
				c.Model = text
			case a.Type.Equal(oidVersion()):
				c.Version = text
			}
		}
	}
}
