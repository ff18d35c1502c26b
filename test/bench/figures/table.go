package figures

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Row is one figure.
type Row struct {
	Section string  `json:"section"`
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	// Ratio is Value over the baseline called Against, 0 for none.
	Ratio   float64 `json:"ratio,omitempty"`
	Against string  `json:"against,omitempty"`
	Aim     string  `json:"aim,omitempty"`
	Met     *bool   `json:"met,omitempty"`
	// Where the row is drawn.
	Marks []Mark `json:"marks,omitempty"`
}

// Mark is a row's place in a drawing: a bar or a point of a series.
type Mark struct {
	Drawing string `json:"drawing"`
	// Of is what the figure is of: the bar's name.
	Of     string  `json:"of,omitempty"`
	Series string  `json:"series,omitempty"`
	X      float64 `json:"x,omitempty"`
}

// Bound gives r an aim: figure, r's ratio or value, is to be at most limit.
func (r Row) Bound(aim string, figure, limit float64) Row {
	r.Aim, r.Met = aim, new(figure <= limit)
	return r
}

// Verdict is "met", "NOT MET", or nothing where there is no aim.
func (r Row) Verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "met"
	default:
		return "NOT MET"
	}
}

// Figure is the value with its unit, to three digits or so.
func (r Row) Figure() string {
	switch {
	case r.Value == float64(int(r.Value)):
		return fmt.Sprintf("%s %s", Grouped(int(r.Value)), r.Unit)
	case r.Value >= 100:
		return fmt.Sprintf("%s %s", Grouped(int(r.Value+0.5)), r.Unit)
	default:
		return fmt.Sprintf("%.1f %s", r.Value, r.Unit)
	}
}

// Compared is the ratio and what it is to, or nothing.
func (r Row) Compared() string {
	if r.Against == "" {
		return ""
	}
	return fmt.Sprintf("%.2f × %s", r.Ratio, r.Against)
}

// Grouped is n, which is not negative, with commas between thousands.
func Grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", Grouped(n/1000), n%1000)
}

// Median of samples in microseconds.
func Median(samples []time.Duration) float64 {
	sorted := slices.Clone(samples)
	slices.Sort(sorted)
	return float64(sorted[len(sorted)/2].Nanoseconds()) / 1e3
}

// Gather puts the rows of each section next to each other, in the order in which the
// sections began.
func Gather(rows []Row) []Row {
	first := map[string]int{}
	for i, r := range rows {
		if _, known := first[r.Section]; !known {
			first[r.Section] = i
		}
	}
	gathered := slices.Clone(rows)
	slices.SortStableFunc(gathered, func(a, b Row) int { return first[a.Section] - first[b.Section] })
	return gathered
}

// Print shows all rows.
func Print(w io.Writer, rows []Row) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	section := ""
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			fmt.Fprintf(tw, "\n%s\n", section)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", r.Name, r.Figure(), r.Compared(), r.Aim, r.Verdict())
	}
	_ = tw.Flush() // what cannot be shown cannot be shown
}
