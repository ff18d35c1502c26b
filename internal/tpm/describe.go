package tpm

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Description says which TPM this is, for people.
type Description struct {
	Manufacturer string // the TCG's vendor id, "IBM", "INTC", "STM"
	Model        string // the vendor's own string, may be empty
	Firmware     string // "8217.4131"
	Revision     string // of the specification, "1.64"
}

// String is the description on one line.
func (d Description) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s firmware %s, TPM 2.0 revision %s",
		d.Manufacturer, d.Model, d.Firmware, d.Revision)), " ")
}

// From the specification: Part 2 §6.13. go-tpm has no name for the revision.
const ptRevision tpm2.TPMPT = 0x00000102

// Describe asks the TPM who made it.
func (m *Machine) Describe(ctx context.Context) (d Description, err error) {
	err = m.converse(ctx, func(t transport.TPM) error {
		rsp, err := tpm2.GetCapability{
			Capability:    tpm2.TPMCapTPMProperties,
			Property:      uint32(tpm2.TPMPTFamilyIndicator),
			PropertyCount: uint32(tpm2.TPMPTFirmwareVersion2-tpm2.TPMPTFamilyIndicator) + 1,
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("GetCapability: %w", err)
		}
		list, err := rsp.CapabilityData.Data.TPMProperties()
		if err != nil {
			return fmt.Errorf("GetCapability: %w", err)
		}
		d = describe(list.TPMProperty)
		return nil
	})
	return d, err
}

func describe(properties []tpm2.TPMSTaggedProperty) Description {
	value := make(map[tpm2.TPMPT]uint32, len(properties))
	for _, p := range properties {
		value[p.Property] = p.Value
	}
	text := func(properties ...tpm2.TPMPT) string {
		var b []byte
		for _, p := range properties {
			b = binary.BigEndian.AppendUint32(b, value[p])
		}
		return printable(b)
	}
	firmware := value[tpm2.TPMPTFirmwareVersion1]
	return Description{
		Manufacturer: text(tpm2.TPMPTManufacturer),
		Model:        text(tpm2.TPMPTVendorString1, tpm2.TPMPTVendorString2, tpm2.TPMPTVendorString3, tpm2.TPMPTVendorString4),
		Firmware:     fmt.Sprintf("%d.%d", firmware>>16, firmware&0xFFFF),
		Revision:     fmt.Sprintf("%d.%02d", value[ptRevision]/100, value[ptRevision]%100),
	}
}

// printable leaves out what a chip has no business to send to a terminal.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b)))
}
