package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// Sizes of a plot, in pixels of its own.
const (
	plotLeft, plotRight = 330, 780
	plotTop, plotRow    = 48, 22
	plotBar             = 14
)

// plot draws the rows that have a ratio as bars, in sections: an SVG without scripts, which
// follows the reader's colour scheme.
func (t *table) plot(path string) error {
	var rows []row
	most := 1.0
	for _, r := range t.rows {
		if r.Against != "" {
			rows, most = append(rows, r), math.Max(most, r.Ratio)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("%s: nothing to plot", path)
	}
	var bars strings.Builder
	y, section := plotTop, ""
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			y += plotRow
			fmt.Fprintf(&bars, "<text x=\"8\" y=\"%d\" class=\"section\">%s</text>\n", y, html.EscapeString(section))
			y += 8
		}
		y += plotRow
		width := r.Ratio / most * (plotRight - plotLeft)
		fmt.Fprintf(&bars, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", plotLeft-8, y, html.EscapeString(r.Name))
		fmt.Fprintf(&bars, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", plotLeft, y-plotBar+3, width, plotBar)
		fmt.Fprintf(&bars, "<text x=\"%.1f\" y=\"%d\">%.2f × %s</text>\n", plotLeft+width+6, y, r.Ratio, html.EscapeString(r.Against))
	}
	const style = `text{font:12px sans-serif;fill:#1d2524}.section{font-weight:bold}rect{fill:#1f5f5b}@media(prefers-color-scheme:dark){text{fill:#e6ebe9}rect{fill:#6fc2b8}}`
	svg := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1080 %d\" role=\"img\">\n<title>Time against the bare TPM command, of one run of make bench</title>\n<style>%s</style>\n%s</svg>\n",
		y+plotRow, style, bars.String())
	return os.WriteFile(path, []byte(svg), 0o600)
}
