package attest

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
)

// From the specification: TCG EK Credential Profile for TPM 2.0 §2.2.1, where TPM makers
// put the certificates of the endorsement keys, and those of whoever has signed them.
const (
	certificateRSA  tpm2.TPMHandle = 0x01C00002
	certificateP256 tpm2.TPMHandle = 0x01C0000A
	firstChain      tpm2.TPMHandle = 0x01C00100
	lastChain       tpm2.TPMHandle = 0x01C001FF
)

// Ours: bounds, and how much is read in one command, which every TPM can.
const (
	maxCertificateBytes = 8 << 10
	maxChainBytes       = 24 << 10
	readBytes           = 512
)

// endorsement is an endorsement key's template and its certificate, DER.
type endorsement struct {
	template    tpm2.TPMTPublic
	certificate []byte
}

// findEndorsement reads a certificate: the P-256 key's, which a chip makes at once, and
// where there is none that of the RSA key, which takes a slow one seconds.
func findEndorsement(t transport.TPM) (*endorsement, error) {
	for _, place := range []struct {
		index    tpm2.TPMHandle
		template tpm2.TPMTPublic
	}{{certificateP256, tpm2.ECCEKTemplate}, {certificateRSA, tpm2.RSAEKTemplate}} {
		content, err := readIndex(t, place.index, maxCertificateBytes)
		if errors.Is(err, tpm2.TPMRCHandle) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if all := split(content); len(all) > 0 {
			return &endorsement{place.template, all[0]}, nil
		}
	}
	return nil, &ctap.Problem{
		Status: ctap.NotAllowed,
		What:   "this TPM has no endorsement certificate in it, so nobody vouches that it is genuine",
		Hint:   "some makers keep it elsewhere, and virtual and software TPMs often have none; such a machine can prove nothing",
	}
}

// readChain reads the certificates of those who have signed the endorsement certificate,
// where the maker has put them into the TPM. They may run on from index to index.
func readChain(t transport.TPM) ([][]byte, error) {
	rsp, err := tpm2.GetCapability{
		Capability:    tpm2.TPMCapHandles,
		Property:      uint32(firstChain),
		PropertyCount: uint32(lastChain-firstChain) + 1,
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("listing NV indices: %w", err)
	}
	list, err := rsp.CapabilityData.Data.Handles()
	if err != nil {
		return nil, fmt.Errorf("listing NV indices: %w", err)
	}
	var all []byte
	for _, index := range list.Handle {
		if index > lastChain {
			break
		}
		content, err := readIndex(t, index, maxChainBytes-len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, content...)
	}
	return split(all), nil
}

// split gives the certificates, each a DER SEQUENCE, that content begins with. What follows
// them is padding: makers define an index before they know how long a certificate gets.
func split(content []byte) [][]byte {
	all := [][]byte{}
	for len(content) > 0 {
		var one asn1.RawValue
		rest, err := asn1.Unmarshal(content, &one)
		if err != nil || one.Class != asn1.ClassUniversal || one.Tag != asn1.TagSequence || !one.IsCompound {
			break
		}
		all = append(all, one.FullBytes)
		content = rest
	}
	return all
}

// readIndex reads an index that lets everybody, or the owner, read it.
func readIndex(t transport.TPM, index tpm2.TPMHandle, limit int) ([]byte, error) {
	rsp, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("NV_ReadPublic %#x: %w", index, err)
	}
	public, err := rsp.NVPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("NV_ReadPublic %#x: %w", index, err)
	}
	size := int(public.DataSize)
	if size > limit {
		return nil, fmt.Errorf("the NV index %#x has %d bytes, more than certificates do", index, size)
	}
	named := tpm2.NamedHandle{Handle: index, Name: policy.Name(rsp.NVPublic.Bytes())}
	if public.NameAlg != tpm2.TPMAlgSHA256 {
		named.Name = rsp.NVName
	}
	by := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	if public.Attributes.AuthRead {
		by = tpm2.AuthHandle{Handle: index, Name: named.Name, Auth: tpm2.PasswordAuth(nil)}
	}
	content := make([]byte, 0, size)
	for len(content) < size {
		part, err := tpm2.NVRead{
			AuthHandle: by, NVIndex: named,
			Size:   uint16(min(readBytes, size-len(content))), //nolint:gosec // At most readBytes.
			Offset: uint16(len(content)),                      //nolint:gosec // Less than DataSize, which has 16 bits.
		}.Execute(t)
		if err != nil {
			return nil, fmt.Errorf("NV_Read %#x: %w", index, err)
		}
		if len(part.Data.Buffer) == 0 {
			return nil, fmt.Errorf("NV_Read %#x: nothing", index)
		}
		content = append(content, part.Data.Buffer...)
	}
	return content, nil
}
