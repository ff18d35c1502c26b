package browser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
)

// From X11/XWDFile.h: an X window dump of version 7 begins with 25 numbers of 32 bits,
// big-endian, and goes on with the window's name, colours and pixels.
const (
	xwdNumbers    = 25
	xwdVersion    = 7
	xwdZPixmap    = 2
	xwdColorBytes = 12
)

// Indices of the numbers that matter.
const (
	xwdHeaderSize = iota
	xwdFileVersion
	xwdPixmapFormat
	_ // depth
	xwdWidth
	xwdHeight
	_ // offset
	xwdByteOrder
	_ // bitmap unit
	_ // bitmap bit order
	_ // bitmap pad
	xwdBitsPerPixel
	xwdBytesPerLine
	_ // visual class
	xwdRedMask
	xwdGreenMask
	xwdBlueMask
	_ // bits per colour
	_ // colour map entries
	xwdColors
)

// maxSide bounds a picture's width and height.
const maxSide = 1 << 14

// errXWD says what decodeXWD takes.
var errXWD = errors.New("not an X window dump of 32-bit pixels, red, green and blue a byte each")

// decodeXWD reads an X window dump as Xvfb keeps one of its screen: 32 bits for a pixel,
// in which red, green and blue have eight each.
func decodeXWD(dump []byte) (image.Image, error) {
	if len(dump) < 4*xwdNumbers {
		return nil, errXWD
	}
	var n [xwdNumbers]int
	for i := range n {
		n[i] = int(binary.BigEndian.Uint32(dump[4*i:]))
	}
	var order binary.ByteOrder = binary.LittleEndian
	if n[xwdByteOrder] != 0 {
		order = binary.BigEndian
	}
	width, height, line := n[xwdWidth], n[xwdHeight], n[xwdBytesPerLine]
	pixels := n[xwdHeaderSize] + xwdColorBytes*n[xwdColors]
	switch {
	case n[xwdFileVersion] != xwdVersion, n[xwdPixmapFormat] != xwdZPixmap, n[xwdBitsPerPixel] != 32,
		n[xwdRedMask] != 0xff0000, n[xwdGreenMask] != 0xff00, n[xwdBlueMask] != 0xff,
		n[xwdHeaderSize] < 4*xwdNumbers:
		return nil, errXWD
	case width < 1, height < 1, width > maxSide, height > maxSide, line < 4*width:
		return nil, fmt.Errorf("a picture of %d by %d in lines of %d bytes", width, height, line)
	case len(dump) < pixels+line*height:
		return nil, fmt.Errorf("%d bytes for a picture of %d by %d", len(dump), width, height)
	}
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		row := dump[pixels+y*line:]
		for x := range width {
			p := order.Uint32(row[4*x:])
			picture.SetNRGBA(x, y, color.NRGBA{R: byte(p >> 16), G: byte(p >> 8), B: byte(p), A: 0xff})
		}
	}
	return picture, nil
}
