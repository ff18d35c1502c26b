package browser

import (
	"encoding/binary"
	"image/color"
	"slices"
	"testing"
)

// dump is a window dump of two lines of three pixels, by the numbers of XWDFile.h.
func dump(change func(n []uint32)) []byte {
	n := []uint32{
		104, 7, 2, 24, 3, 2, 0, // header size, version, ZPixmap, depth, width, height, offset
		0, 32, 0, 32, 32, 16, // byte order, unit, bit order, pad, bits per pixel, bytes per line
		4, 0xff0000, 0xff00, 0xff, 8, 256, 2, // TrueColor, masks, bits per colour, map, colours
		3, 2, 0, 0, 0, // window
	}
	change(n)
	var b []byte
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, "xvf\x00"...)          // the name, up to the header's size
	b = append(b, make([]byte, 2*12)...) // two colours
	for _, p := range []uint32{0xff0000, 0x00ff00, 0x0000ff, 0, 0x123456, 0xffffff, 0x808080, 0} {
		b = binary.LittleEndian.AppendUint32(b, p) // the fourth of a line is padding
	}
	return b
}

func TestXWD(t *testing.T) {
	t.Parallel()
	picture, err := decodeXWD(dump(func([]uint32) {}))
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X != 3 || size.Y != 2 {
		t.Fatalf("the picture is %v", size)
	}
	want := []color.NRGBA{
		{0xff, 0, 0, 0xff},
		{0, 0xff, 0, 0xff},
		{0, 0, 0xff, 0xff},
		{0x12, 0x34, 0x56, 0xff},
		{0xff, 0xff, 0xff, 0xff},
		{0x80, 0x80, 0x80, 0xff},
	}
	var got []color.NRGBA
	for y := range 2 {
		for x := range 3 {
			got = append(got, color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestXWDOfTheOtherByteOrder(t *testing.T) {
	t.Parallel()
	picture, err := decodeXWD(dump(func(n []uint32) { n[7] = 1 }))
	if err != nil {
		t.Fatal(err)
	}
	// 0x00ff0000 little-endian is 0x0000ff00 to a reader of the other order.
	if got := color.NRGBAModel.Convert(picture.At(0, 0)); got != (color.NRGBA{0, 0xff, 0, 0xff}) {
		t.Errorf("got %v", got)
	}
}

func TestXWDRefusals(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"half a header":   dump(func([]uint32) {})[:60],
		"half a picture":  dump(func([]uint32) {})[:140],
		"another version": dump(func(n []uint32) { n[1] = 6 }),
		"a bitmap":        dump(func(n []uint32) { n[2] = 0 }),
		"16 bits":         dump(func(n []uint32) { n[11] = 16 }),
		"blue first":      dump(func(n []uint32) { n[14], n[16] = n[16], n[14] }),
		"short header":    dump(func(n []uint32) { n[0] = 0 }),
		"no width":        dump(func(n []uint32) { n[4] = 0 }),
		"huge":            dump(func(n []uint32) { n[4], n[5], n[12] = 1<<31, 1<<31, 1<<31 }),
		"huge colours":    dump(func(n []uint32) { n[19] = 1<<32 - 1 }),
		"narrow lines":    dump(func(n []uint32) { n[12] = 8 }),
	} {
		if picture, err := decodeXWD(b); err == nil {
			t.Errorf("%s: %v", name, picture.Bounds())
		}
	}
}

// Nothing that a file holds may bring the test down that looks at it.
func FuzzXWD(f *testing.F) {
	f.Add(dump(func([]uint32) {}))
	f.Fuzz(func(t *testing.T, b []byte) {
		picture, err := decodeXWD(b)
		if err == nil && 4*picture.Bounds().Dx()*picture.Bounds().Dy() > len(b) {
			t.Error("more pixels than bytes")
		}
	})
}
