package figures

import (
	"fmt"
	"math"
	"slices"
)

// The drawings, by the name in a Mark.
const (
	Gesture = "gesture" // bars of ratios
	Chips   = "chips"   // bars of values, one for each series
	Growth  = "growth"  // values over X, a line for each series
)

// Drawings draws r: file names and their content.
func (r *Record) Drawings() (map[string][]byte, error) {
	bars := []bars{
		{
			drawing: Gesture, title: "What a person waits for after the gesture, over what the TPM alone takes",
			axis: "× TPM2_Sign by itself, in the same run on the same TPM, or the one that it plays (*)", aim: 1.5, aimed: "aim: 1.5",
			value: func(row Row) float64 { return row.Ratio }, label: "%.2f",
		},
		{
			drawing: Chips, title: "A sign-in on published chips (modelled: a software TPM that answers as late as they do)",
			axis:  "milliseconds, of which “in all” is for a person who answers at once",
			value: func(row Row) float64 { return row.Value }, label: "%.0f",
		},
	}
	all := map[string][]byte{}
	for _, b := range bars {
		drawn, err := b.draw(r.Rows)
		if err != nil {
			return nil, err
		}
		all["bench-"+b.drawing+".svg"] = drawn
	}
	drawn, err := growth(r.Rows)
	all["bench-"+Growth+".svg"] = drawn
	return all, err
}

// mark is a row with one of its marks.
type mark struct {
	Mark

	row Row
}

func marksOf(drawing string, rows []Row) ([]mark, error) {
	var found []mark
	for _, row := range rows {
		for _, m := range row.Marks {
			if m.Drawing == drawing {
				found = append(found, mark{m, row})
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("nothing was measured that the drawing %q shows", drawing)
	}
	return found, nil
}

// names lists the distinct names of marks in their order.
func names(marks []mark, name func(mark) string) []string {
	var all []string
	for _, m := range marks {
		if !slices.Contains(all, name(m)) {
			all = append(all, name(m))
		}
	}
	return all
}

func ofName(m mark) string     { return m.Of }
func seriesName(m mark) string { return m.Series }

// class is the class of the series called name, among all.
func class(all []string, name string) string {
	return string(series[slices.Index(all, name)%len(series)])
}

// Sizes, in pixels.
const (
	drawnWidth = 860.0
	leftEdge   = 250.0 // of bars
	rightEdge  = 800.0
	topEdge    = 76.0
	barHeight  = 15.0
	betweenOf  = 11.0 // the bars of two different names
)

// bars is a drawing of bars from the left.
type bars struct {
	drawing, title, axis, label string

	value func(Row) float64
	aim   float64 // 0 for none
	aimed string
}

func (b bars) draw(rows []Row) ([]byte, error) {
	marks, err := marksOf(b.drawing, rows)
	if err != nil {
		return nil, err
	}
	most := b.aim
	for _, m := range marks {
		most = math.Max(most, b.value(m.row))
	}
	step := stepOf(most)
	scale := (rightEdge - leftEdge) / (math.Ceil(most/step) * step)
	c := new(canvas)
	c.text(20, 30, "title", b.title)
	all := names(marks, seriesName)
	if len(all) > 1 {
		c.legend(all)
	}
	bottom := topEdge + float64(len(marks))*barHeight + float64(len(names(marks, ofName)))*betweenOf
	for tick := 0.0; tick <= math.Ceil(most/step)*step+step/2; tick += step {
		x := leftEdge + tick*scale
		c.line(x, topEdge, x, bottom, map[bool]string{true: "axis", false: "grid"}[tick == 0])
		c.text(x, bottom+18, "middle note", fmt.Sprintf("%g", math.Round(tick*100)/100))
	}
	c.text((leftEdge+rightEdge)/2, bottom+40, "middle note", b.axis)
	b.drawBars(c, marks, all, scale)
	if b.aim > 0 {
		x := leftEdge + b.aim*scale
		c.line(x, topEdge-8, x, bottom, "aim")
		c.text(x, topEdge-14, "middle aimed", b.aimed)
	}
	return c.done(b.title, drawnWidth, bottom+58), nil
}

// drawBars draws the bars, those of one name next to each other.
func (b bars) drawBars(c *canvas, marks []mark, all []string, scale float64) {
	y := topEdge + betweenOf/2
	for _, of := range names(marks, ofName) {
		begin := y
		for _, m := range marks {
			if m.Of != of {
				continue
			}
			width := b.value(m.row) * scale
			tone := class(all, m.Series)
			if len(all) == 1 {
				tone = "b"
			}
			c.bar(leftEdge, y+1, width, barHeight-2, tone)
			c.text(leftEdge+width+6, y+barHeight-3, "", fmt.Sprintf(b.label, b.value(m.row)))
			y += barHeight
		}
		c.text(leftEdge-10, (begin+y)/2+4.5, "end", of)
		y += betweenOf
	}
}

// legend names the series above the drawing.
func (c *canvas) legend(all []string) {
	x := 20.0
	for _, name := range all {
		c.bar(x, 45, 12, 12, class(all, name))
		c.text(x+18, 56, "", name)
		x += 18 + 7.2*float64(len(name)) + 22
	}
}

// stepOf gives a round distance between the marks of an axis up to most.
func stepOf(most float64) float64 {
	for step := math.Pow(10, math.Floor(math.Log10(most))-1); ; step *= 10 {
		for _, times := range []float64{1, 2, 2.5, 5} {
			if most/(times*step) <= 7 {
				return times * step
			}
		}
	}
}

// Of the drawing of lines.
const (
	plotLeft, plotRight = 80.0, 500.0
	plotBottom          = 380.0
)

// growth draws milliseconds over the number of passkeys, which is spread by its
// logarithm.
func growth(rows []Row) ([]byte, error) {
	marks, err := marksOf(Growth, rows)
	if err != nil {
		return nil, err
	}
	const title = "What a person waits for, as the store grows"
	least, most, high := math.Inf(1), 0.0, 0.0
	for _, m := range marks {
		least, most, high = math.Min(least, m.X), math.Max(most, m.X), math.Max(high, m.row.Value/1e3)
	}
	step := stepOf(high)
	top := math.Ceil(high/step) * step
	at := func(m mark) (x, y float64) {
		x = plotLeft + 12
		if most > least {
			x += (plotRight - plotLeft - 24) * math.Log(m.X/least) / math.Log(most/least)
		}
		return x, plotBottom - (plotBottom-topEdge)*m.row.Value/1e3/top
	}
	c := new(canvas)
	c.text(20, 30, "title", title)
	for tick := 0.0; tick <= top+step/2; tick += step {
		y := plotBottom - (plotBottom-topEdge)*tick/top
		c.line(plotLeft, y, plotRight, y, map[bool]string{true: "axis", false: "grid"}[tick == 0])
		c.text(plotLeft-8, y+4.5, "end note", fmt.Sprintf("%g", math.Round(tick*100)/100))
	}
	c.text(plotLeft-60, topEdge-14, "note", "milliseconds (median)")
	c.text((plotLeft+plotRight)/2, plotBottom+42, "middle note", "passkeys in the store")
	for _, m := range marks {
		if m.Series == marks[0].Series {
			x, _ := at(m)
			c.line(x, plotBottom, x, plotBottom+5, "axis")
			c.text(x, plotBottom+20, "middle note", Grouped(int(m.X)))
		}
	}
	c.lines(marks, at)
	return c.done(title, drawnWidth, plotBottom+60), nil
}

// lines draws a line for each series, with its name at the right, where no name is
// drawn over another.
func (c *canvas) lines(marks []mark, at func(mark) (x, y float64)) {
	type end struct {
		name string
		y    float64
	}
	var ends []end
	all := names(marks, seriesName)
	for _, name := range all {
		points, last := "", 0.0
		for _, m := range marks {
			if m.Series != name {
				continue
			}
			x, y := at(m)
			points += fmt.Sprintf("%.1f,%.1f ", x, y)
			c.dot(x, y, class(all, name))
			last = y
		}
		fmt.Fprintf(c, "<polyline points=\"%s\" class=\"%s line\"/>\n", points[:len(points)-1], class(all, name))
		ends = append(ends, end{name, last})
	}
	slices.SortStableFunc(ends, func(a, b end) int { return int(a.y - b.y) })
	above := math.Inf(-1)
	for _, e := range ends {
		y := math.Max(e.y, above+18)
		above = y
		c.line(plotRight-6, e.y, plotRight+14, y, "axis")
		c.dot(plotRight+20, y, class(all, e.name))
		c.text(plotRight+30, y+4.5, "", e.name)
	}
}
