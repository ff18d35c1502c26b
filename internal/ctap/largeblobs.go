package ctap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// LargeBlobsRequest is authenticatorLargeBlobs (CTAP 2.3 §6.10); nil is absent. Get is
// how many bytes to read, Set is a fragment to write; Length is the whole array's.
type LargeBlobsRequest struct {
	Get               *uint          `cbor:"1,keyasint,omitempty"`
	Set               *[]byte        `cbor:"2,keyasint,omitempty"`
	Offset            *uint          `cbor:"3,keyasint,omitempty"`
	Length            *uint          `cbor:"4,keyasint,omitempty"`
	PINUVAuthParam    []byte         `cbor:"5,keyasint,omitempty"`
	PINUVAuthProtocol pinuv.Protocol `cbor:"6,keyasint,omitempty"`
}

// LargeBlobsResponse answers a read with a fragment of the array.
type LargeBlobsResponse struct {
	Config *[]byte `cbor:"1,keyasint,omitempty"`
}

// LargeBlobMessage is what the PINUVAuthParam of a fragment authenticates (§6.10.2).
func LargeBlobMessage(offset uint32, fragment []byte) []byte {
	digest := sha256.Sum256(fragment)
	message := append(bytes.Repeat([]byte{0xFF}, 32), byte(CommandLargeBlobs), 0)
	return append(binary.LittleEndian.AppendUint32(message, offset), digest[:]...)
}
