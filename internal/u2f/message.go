package u2f

import (
	"encoding/binary"
)

// word is the status word at the end of an answer.
type word uint16

// From the specification: U2F Raw Message Formats §3.3, and ISO 7816-4.
const (
	wordOK             word = 0x9000
	wordLength         word = 0x6700
	wordConditions     word = 0x6985 // presence is missing
	wordWrongData      word = 0x6A80 // not our key handle
	wordWrongParameter word = 0x6A86
	wordInstruction    word = 0x6D00
	wordClass          word = 0x6E00
	wordOther          word = 0x6F00
)

// From the specification: U2F Raw Message Formats §4–§6.
const (
	insRegister     = 0x01
	insAuthenticate = 0x02
	insVersion      = 0x03

	controlCheckOnly = 0x07
	controlEnforce   = 0x03
	controlDoNot     = 0x08

	parameterBytes = 32 // challenge, and application: SHA-256 each
	version        = "U2F_V2"
)

// apdu is a request.
type apdu struct {
	instruction byte
	control     byte // P1
	data        []byte
}

// parse reads a request in the short or the extended form (ISO 7816-4 §5.1); CTAPHID
// clients send the latter.
func parse(b []byte) (apdu, word) {
	const header = 4
	if len(b) < header {
		return apdu{}, wordLength
	}
	a := apdu{instruction: b[1], control: b[2]}
	if b[0] != 0 {
		return apdu{}, wordClass
	}
	body := b[header:]
	var ok bool
	switch {
	case len(body) <= 1: // nothing, or Le
		return a, wordOK
	case body[0] != 0:
		a.data, ok = cut(body[1:], int(body[0]), 1)
	case len(body) == 3: // extended Le
		return a, wordOK
	case len(body) > 3:
		a.data, ok = cut(body[3:], int(binary.BigEndian.Uint16(body[1:])), 2)
	}
	if !ok {
		return apdu{}, wordLength
	}
	return a, wordOK
}

// cut takes n bytes of data, after which there may be an Le of its own length.
func cut(b []byte, n, le int) ([]byte, bool) {
	if len(b) != n && len(b) != n+le {
		return nil, false
	}
	return b[:n], true
}

func answer(data []byte, w word) []byte {
	return binary.BigEndian.AppendUint16(data, uint16(w))
}
