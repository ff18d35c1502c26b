package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
)

// point is a place on the drawing board, which is 128 wide and high as that of
// packaging/linux/localpasskey.svg.
type point struct{ x, y float64 }

const board = 128

// plate and chip are how far the icon's parts reach: macOS wants a rounded square,
// and the drawing of the SVG is smaller on it.
const (
	plateEdge   = 10
	plateRadius = 24
	chipScale   = 0.72
)

// The colours of the SVG.
func chipColor() color.NRGBA  { return color.NRGBA{0x1f, 0x5f, 0x5b, 0xff} }
func paperColor() color.NRGBA { return color.NRGBA{0xf4, 0xf1, 0xe8, 0xff} }

// box is the distance to a rounded square from a to b, below 0 inside.
func box(p point, a, b, radius float64) float64 {
	half := (b - a) / 2
	x := math.Abs(p.x-a-half) - half + radius
	y := math.Abs(p.y-a-half) - half + radius
	return math.Hypot(max(x, 0), max(y, 0)) + min(max(x, y), 0) - radius
}

// line is the distance to a line of a width with round ends.
func line(p, from, to point, width float64) float64 {
	dx, dy := to.x-from.x, to.y-from.y
	t := ((p.x-from.x)*dx + (p.y-from.y)*dy) / (dx*dx + dy*dy)
	t = min(max(t, 0), 1)
	return math.Hypot(p.x-from.x-t*dx, p.y-from.y-t*dy) - width/2
}

// pins is the distance to the chip's pins, of the SVG's second part.
func pins(p point) float64 {
	d := math.Inf(1)
	for _, at := range []float64{44, 64, 84} {
		for _, ends := range [][2]float64{{10, 20}, {108, 118}} {
			d = min(d, line(p, point{at, ends[0]}, point{at, ends[1]}, 7), line(p, point{ends[0], at}, point{ends[1], at}, 7))
		}
	}
	return d
}

// key is the distance to the key, of the SVG's third part.
func key(p point) float64 {
	ring := math.Abs(math.Hypot(p.x-52, p.y-52)-12) - 4
	return min(ring,
		line(p, point{61, 61}, point{86, 86}, 8),
		line(p, point{79, 79}, point{86, 79 - 7}, 8),
		line(p, point{70, 70}, point{76, 64}, 8),
	)
}

// draw makes the icon, size pixels wide and high.
func draw(size int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	pixels := float64(size) / board
	for y := range size {
		for x := range size {
			p := point{(float64(x) + 0.5) / pixels, (float64(y) + 0.5) / pixels}
			q := point{(p.x-board/2)/chipScale + board/2, (p.y-board/2)/chipScale + board/2}
			c := color.NRGBA{paperColor().R, paperColor().G, paperColor().B, cover(box(p, plateEdge, board-plateEdge, plateRadius), pixels)}
			c = over(c, chipColor(), cover(min(box(q, 24, 104, 14), pins(q)), pixels*chipScale))
			c = over(c, paperColor(), cover(key(q), pixels*chipScale))
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// cover is how much of a pixel lies within a distance, 0–255.
func cover(distance, pixels float64) uint8 {
	return uint8(math.Round(255 * min(max(0.5-distance*pixels, 0), 1)))
}

// over paints c over what is below, which keeps its own transparency.
func over(below, c color.NRGBA, amount uint8) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8((int(a)*(255-int(amount)) + int(b)*int(amount)) / 255) } //nolint:gosec // At most 255.
	return color.NRGBA{mix(below.R, c.R), mix(below.G, c.G), mix(below.B, c.B), below.A}
}

// icons are the entries of an icns file: a type for each size and its double.
func icons() []struct {
	kind string
	size int
} {
	return []struct {
		kind string
		size int
	}{
		{"icp4", 16},
		{"icp5", 32},
		{"ic11", 32},
		{"ic12", 64},
		{"ic07", 128},
		{"ic13", 256},
		{"ic08", 256},
		{"ic14", 512},
		{"ic09", 512},
		{"ic10", 1024},
	}
}

// icns makes the icon file: big-endian lengths, which count their own headers, and
// PNGs.
func icns() ([]byte, error) {
	var body []byte
	drawn := map[int][]byte{}
	for _, i := range icons() {
		if drawn[i.size] == nil {
			var b bytes.Buffer
			if err := png.Encode(&b, draw(i.size)); err != nil {
				return nil, err
			}
			drawn[i.size] = b.Bytes()
		}
		body = append(body, i.kind...)
		body = binary.BigEndian.AppendUint32(body, uint32(8+len(drawn[i.size]))) //nolint:gosec // A picture is small.
		body = append(body, drawn[i.size]...)
	}
	out := binary.BigEndian.AppendUint32([]byte("icns"), uint32(8+len(body))) //nolint:gosec // Ten pictures are small.
	return append(out, body...), nil
}
