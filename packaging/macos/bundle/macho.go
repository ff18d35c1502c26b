package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
)

// From Apple's mach-o/fat.h and loader.h.
const (
	fatMagic       = 0xcafebabe
	fatHeaderBytes = 8
	fatArchBytes   = 20
	loadBuild      = 0x32 // LC_BUILD_VERSION
	loadMain       = 0x80000028
	loadThread     = 0x5
	loadUUID       = 0x1b
	loadSignature  = 0x1d
	platformMacOS  = 1
	machHeader64   = 32
	buildMinOS     = 12 // offsets within LC_BUILD_VERSION
	buildSDK       = 16
)

var errMachO = errors.New("not a 64-bit program for macOS")

// alignment is where an architecture's part may begin, as a power of two: its page.
func alignment(cpu macho.Cpu) uint32 {
	if cpu == macho.CpuArm64 {
		return 14
	}
	return 12
}

// universal puts programs of several processors into one file.
func universal(programs ...[]byte) ([]byte, error) {
	header := binary.BigEndian.AppendUint32(nil, fatMagic)
	header = binary.BigEndian.AppendUint32(header, uint32(len(programs))) //nolint:gosec // Two.
	offset := fatHeaderBytes + fatArchBytes*len(programs)
	var body []byte
	start := offset
	for _, p := range programs {
		f, err := macho.NewFile(bytes.NewReader(p))
		if err != nil {
			return nil, err
		}
		align := alignment(f.Cpu)
		padding := -offset & (1<<align - 1)
		body = append(body, make([]byte, padding)...)
		offset += padding
		for _, field := range []uint32{uint32(f.Cpu), f.SubCpu, uint32(offset), uint32(len(p)), align} { //nolint:gosec // A program is far below 4 GB.
			header = binary.BigEndian.AppendUint32(header, field)
		}
		body = append(body, p...)
		offset += len(p)
	}
	if len(header) != start {
		return nil, fmt.Errorf("a header of %d bytes", len(header))
	}
	return append(header, body...), nil
}

// command finds a load command of a thin program.
func command(program []byte, kind uint32) (offset int, err error) {
	f, err := macho.NewFile(bytes.NewReader(program))
	if err != nil {
		return 0, err
	}
	if f.Magic != macho.Magic64 || f.ByteOrder != binary.LittleEndian {
		return 0, errMachO
	}
	offset = machHeader64
	for _, l := range f.Loads {
		raw := l.Raw()
		if f.ByteOrder.Uint32(raw) == kind {
			return offset, nil
		}
		offset += len(raw)
	}
	return 0, fmt.Errorf("%w: no load command %#x", errMachO, kind)
}

// build is what LC_BUILD_VERSION says.
type build struct{ platform, minOS, sdk uint32 }

func buildOf(program []byte) (build, error) {
	at, err := command(program, loadBuild)
	if err != nil {
		return build{}, err
	}
	le := binary.LittleEndian
	return build{le.Uint32(program[at+8:]), le.Uint32(program[at+buildMinOS:]), le.Uint32(program[at+buildSDK:])}, nil
}

// claim sets the oldest macOS and the SDK in LC_BUILD_VERSION. Go's linker writes
// 12.0 for both, and macOS gives a program the looks of the SDK it names. A
// signature that the linker has made is void after this; the app is signed anyway.
func claim(program []byte, minOS, sdk string) ([]byte, error) {
	at, err := command(program, loadBuild)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(program)
	binary.LittleEndian.PutUint32(out[at+buildMinOS:], packed(minOS))
	binary.LittleEndian.PutUint32(out[at+buildSDK:], packed(sdk))
	return out, nil
}

// packed is a version as load commands have it: 16 bits, 8, 8.
func packed(version string) uint32 {
	var major, minor uint32
	_, _ = fmt.Sscanf(version, "%d.%d", &major, &minor) // options.check has seen to the form
	return major<<16 | minor<<8
}

func unpacked(v uint32) string { return fmt.Sprintf("%d.%d", v>>16, v>>8&0xff) }
