package health

import (
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
	Revision     uint32 // of the specification, times 100: 164
}

// String is the description on one line.
func (d Description) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s firmware %s, TPM 2.0 revision %s",
		d.Manufacturer, d.Model, d.Firmware, Revision(d.Revision))), " ")
}

// Revision is a revision as people write it: "1.64".
func Revision(hundredths uint32) string {
	return fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
}

// From the specification: Part 2 §6.13. go-tpm has no name for the revision.
const ptRevision tpm2.TPMPT = 0x00000102

// Describe asks a TPM who made it.
func Describe(t transport.TPM) (Description, error) {
	first := uint32(tpm2.TPMPTFamilyIndicator)
	values, err := properties(t, first, uint32(tpm2.TPMPTFirmwareVersion2)-first+1)
	if err != nil {
		return Description{}, err
	}
	return describe(values), nil
}

// properties asks for the values of count properties from first on.
func properties(t transport.TPM, first, count uint32) (map[tpm2.TPMPT]uint32, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: first, PropertyCount: count}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("GetCapability: %w", err)
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return nil, fmt.Errorf("GetCapability: %w", err)
	}
	values := make(map[tpm2.TPMPT]uint32, len(list.TPMProperty))
	for _, p := range list.TPMProperty {
		values[p.Property] = p.Value
	}
	return values, nil
}

func describe(value map[tpm2.TPMPT]uint32) Description {
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
		Revision:     value[ptRevision],
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
