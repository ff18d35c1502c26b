package largeblob

import (
	"bytes"
	"crypto/sha256"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// MaxArrayBytes is the longest array (§6.4, maxSerializedLargeBlobArray; 1024 at
// least). Ours: room for a certificate at each of some ten sites.
const MaxArrayBytes = 16 << 10

// From the specification: §6.10.1, an array ends with LEFT(SHA-256(what is before), 16);
// §6.10.2, a fragment is shorter than a message by 64 bytes.
const (
	checksumBytes = 16
	minArrayBytes = checksumBytes + 1
	messageBytes  = 64
)

// valueName is where the array is kept.
const valueName = "large blobs"

// Manager keeps the array of one authenticator. Its caller holds Gate's turn.
type Manager struct {
	Values   consent.Values
	Settings consent.SettingsStore
	Gate     *consent.Gate
}

// writing is an array of which some fragments have come.
type writing struct {
	length uint
	array  []byte
}

// Handle carries out one request (§6.10.2) through a door whose messages have at most
// maxMessage bytes. pending is what the command before left on
// the same channel, and rest what this one leaves.
func (m *Manager) Handle(req *ctap.LargeBlobsRequest, maxMessage uint, pending any) (response *ctap.LargeBlobsResponse, rest any, err error) {
	if req.Offset == nil || (req.Get == nil) == (req.Set == nil) {
		return nil, nil, ctap.InvalidParameter
	}
	maxFragment := maxMessage - messageBytes
	if req.Get != nil {
		response, err = m.get(req, maxFragment)
		return response, nil, err
	}
	w, _ := pending.(*writing)
	if w, err = begin(req, maxFragment, w); err != nil {
		return nil, nil, err
	}
	if err := m.authorize(req); err != nil {
		return nil, nil, err
	}
	done, err := m.write(req, w)
	if err != nil || done {
		return nil, nil, err
	}
	return nil, w, nil
}

// get reads a part of the array.
func (m *Manager) get(req *ctap.LargeBlobsRequest, maxFragment uint) (*ctap.LargeBlobsResponse, error) {
	switch {
	case req.Length != nil, req.PINUVAuthParam != nil, req.PINUVAuthProtocol != 0:
		return nil, ctap.InvalidParameter
	case *req.Get > maxFragment:
		return nil, ctap.InvalidLength
	}
	array, err := m.Values.Value(valueName)
	if err != nil {
		return nil, err
	}
	if array == nil {
		array = initial()
	}
	if *req.Offset > uint(len(array)) {
		return nil, ctap.InvalidParameter
	}
	part := array[*req.Offset:]
	part = part[:min(uint(len(part)), *req.Get)]
	return &ctap.LargeBlobsResponse{Config: &part}, nil
}

// initial is the array as it is before anything is written: an empty CBOR array and
// its checksum (§6.10.1).
func initial() []byte {
	const emptyArray = 0x80
	return checksummed([]byte{emptyArray})
}

func checksummed(content []byte) []byte {
	sum := sha256.Sum256(content)
	return append(content, sum[:checksumBytes]...)
}

// begin checks that the fragment follows the one before; the first begins an array.
func begin(req *ctap.LargeBlobsRequest, maxFragment uint, w *writing) (*writing, error) {
	if uint(len(*req.Set)) > maxFragment {
		return nil, ctap.InvalidLength
	}
	if *req.Offset != 0 {
		switch {
		case req.Length != nil:
			return nil, ctap.InvalidParameter
		case w == nil, *req.Offset != uint(len(w.array)):
			return nil, ctap.InvalidSeq
		}
		return w, nil
	}
	switch {
	case req.Length == nil:
		return nil, ctap.InvalidParameter
	case *req.Length > MaxArrayBytes:
		return nil, ctap.LargeBlobStorageFull
	case *req.Length < minArrayBytes:
		return nil, ctap.InvalidParameter
	}
	return &writing{length: *req.Length}, nil
}

// authorize wants a token for each fragment, unless nothing protects anything here.
func (m *Manager) authorize(req *ctap.LargeBlobsRequest) error {
	settings, err := m.Settings.Settings()
	if err != nil {
		return err
	}
	if !m.Gate.PIN.IsSet() && !settings.AlwaysUV {
		return nil
	}
	if err := ctap.CheckToken(req.PINUVAuthProtocol, req.PINUVAuthParam); err != nil {
		return err
	}
	message := ctap.LargeBlobMessage(uint32(*req.Offset), *req.Set) //nolint:gosec // at most MaxArrayBytes, begin has seen to it
	_, err = m.Gate.VerifyToken(req.PINUVAuthProtocol, req.PINUVAuthParam, message, ctap.PermissionLargeBlobWrite)
	return err
}

// write adds the fragment and, when the array is whole and its checksum right,
// stores it.
func (m *Manager) write(req *ctap.LargeBlobsRequest, w *writing) (done bool, err error) {
	if uint(len(w.array)+len(*req.Set)) > w.length {
		return false, ctap.InvalidParameter
	}
	w.array = append(w.array, *req.Set...)
	if uint(len(w.array)) < w.length {
		return false, nil
	}
	content := w.array[:len(w.array)-checksumBytes]
	if !bytes.Equal(checksummed(bytes.Clone(content)), w.array) {
		return true, ctap.IntegrityFailure
	}
	return true, m.Values.PutValue(valueName, w.array)
}
