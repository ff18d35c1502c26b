package figures

import (
	"fmt"
	"html"
	"strings"
)

// canvas is an SVG that is being drawn, in pixels of its own. What is drawn names a
// class, and style says what the classes look like.
type canvas struct{ strings.Builder }

// style is colours and fonts, on a ground of its own because the page around may be
// either light or dark.
const style = `text{font:13px system-ui,sans-serif;fill:#1d2524}` +
	`.title{font-size:16px;font-weight:600}.note{fill:#55615e}.middle{text-anchor:middle}.end{text-anchor:end}` +
	`.ground{fill:#fcfcfa;stroke:#d5dcd9}.grid{stroke:#dfe5e2}.axis{stroke:#7d8a86}` +
	`.aim{stroke:#b3261e;stroke-width:1.5;stroke-dasharray:5 4}.aimed{fill:#b3261e}` +
	`.a{fill:#9fb0ab;stroke:#9fb0ab}.b{fill:#1f6f68;stroke:#1f6f68}.c{fill:#d08a2e;stroke:#d08a2e}` +
	`.d{fill:#5b5ea6;stroke:#5b5ea6}.e{fill:#a3406e;stroke:#a3406e}.f{fill:#5d7d2b;stroke:#5d7d2b}` +
	`.line{fill:none;stroke-width:2}` +
	`@media(prefers-color-scheme:dark){text{fill:#e6ebe9}.note{fill:#a5b1ad}` +
	`.ground{fill:#16201e;stroke:#33403d}.grid{stroke:#2a3633}.axis{stroke:#82908c}` +
	`.aim{stroke:#ff8a7a}.aimed{fill:#ff8a7a}` +
	`.a{fill:#6b7c77;stroke:#6b7c77}.b{fill:#5fc4b8;stroke:#5fc4b8}.c{fill:#f0b35c;stroke:#f0b35c}` +
	`.d{fill:#a6a9f0;stroke:#a6a9f0}.e{fill:#ec92bb;stroke:#ec92bb}.f{fill:#abd06e;stroke:#abd06e}.line{fill:none}}`

// series are the classes of series, in order.
const series = "abcdef"

func (c *canvas) text(x, y float64, class, text string) {
	fmt.Fprintf(c, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(c, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class)
}

func (c *canvas) bar(x, y, width, height float64, class string) {
	fmt.Fprintf(c, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" class=\"%s\"/>\n", x, y, width, height, class)
}

func (c *canvas) dot(x, y float64, class string) {
	fmt.Fprintf(c, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"%s\"/>\n", x, y, class)
}

// done is the whole file.
func (c *canvas) done(title string, width, height float64) []byte {
	return fmt.Appendf(nil, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\">\n"+
		"<title>%s</title>\n<style>%s</style>\n<rect x=\"0.5\" y=\"0.5\" width=\"%.0f\" height=\"%.0f\" rx=\"6\" class=\"ground\"/>\n%s</svg>\n",
		width, height, width, height, html.EscapeString(title), style, width-1, height-1, c.String())
}
