package vm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// swtpm's log, in the shared directory. From level 2 on it has every message, as
//
//	SWTPM_IO_Read: length 12
//	80 01 00 00 00 0C 00 00 01 7B 00 08
const (
	tpmLogFile  = "tpm.log"
	tpmLogLevel = 2
	tpmReceived = " SWTPM_IO_Read:"
)

// Commands gives in a guest the codes of all commands that have reached the chip, in
// order and since it was new: what was sent to it, and what the kernel has made of
// that. The machine must have been run with LogTPM.
func Commands(t *testing.T) []uint32 {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(share(), tpmLogFile))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := received(log)
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

// received reads the codes out of a log.
func received(log []byte) (commands []uint32, err error) {
	announced := false
	for line := range bytes.Lines(log) {
		if announced {
			code, err := commandCode(line)
			if err != nil {
				return nil, fmt.Errorf("the TPM's log: %w", err)
			}
			commands = append(commands, code)
		}
		announced = bytes.HasPrefix(line, []byte(tpmReceived))
	}
	return commands, nil
}

// commandCode reads the header of a command: tag, size, code.
func commandCode(line []byte) (uint32, error) {
	header, err := hex.DecodeString(string(bytes.Join(bytes.Fields(line), nil)))
	if err == nil && len(header) < 10 {
		err = errors.New("half a command")
	}
	if err != nil {
		return 0, fmt.Errorf("%q: %w", line, err)
	}
	return binary.BigEndian.Uint32(header[6:]), nil
}
