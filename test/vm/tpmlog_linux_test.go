package vm

import (
	"slices"
	"testing"
)

// The log is one that swtpm 0.7.1 has written: a GetRandom and a GetCapability.
func TestReceived(t *testing.T) {
	t.Parallel()
	log := ` Ctrl Cmd: length 4
 00 00 00 10
 Ctrl Rsp: length 4
 00 00 00 00
 SWTPM_IO_Read: length 12
 80 01 00 00 00 0C 00 00 01 7B 00 08
 SWTPM_IO_Write: length 20
 80 01 00 00 00 14 00 00 00 00 00 08 06 52 DB 70
 48 0A 2E 2D
 SWTPM_IO_Read: length 22
 80 01 00 00 00 16 00 00 01 7A 00 00 00 01 00 00
 00 00 00 00 00 0A
 SWTPM_IO_Write: length 10
 80 01 00 00 00 0A 00 00 01 01
`
	got, err := received([]byte(log))
	if err != nil || !slices.Equal(got, []uint32{0x17B, 0x17A}) {
		t.Errorf("got %x, %v", got, err)
	}
	for _, bad := range []string{" SWTPM_IO_Read: length 12\n 80 01 00\n", " SWTPM_IO_Read: length 12\n that is no number\n"} {
		if got, err := received([]byte(bad)); err == nil {
			t.Errorf("%q gave %x", bad, got)
		}
	}
}
