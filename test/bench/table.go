package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one figure.
type row struct {
	Section string  `json:"section"`
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	// Ratio is Value over the baseline called Against, 0 for none.
	Ratio   float64 `json:"ratio,omitempty"`
	Against string  `json:"against,omitempty"`
	Aim     string  `json:"aim,omitempty"`
	Met     *bool   `json:"met,omitempty"`
}

// table is all figures, in order.
type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// bound gives r an aim: figure, r's ratio or value, is to be at most limit.
func (r row) bound(aim string, figure, limit float64) row {
	r.Aim, r.Met = aim, new(figure <= limit)
	return r
}

// micros is the median of samples in microseconds.
func micros(samples []time.Duration) float64 {
	sorted := slices.Clone(samples)
	slices.Sort(sorted)
	return float64(sorted[len(sorted)/2].Nanoseconds()) / 1e3
}

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	section := ""
	for _, r := range t.rows {
		if r.Section != section {
			section = r.Section
			fmt.Fprintf(tw, "\n%s\n", section)
		}
		ratio, verdict := "", ""
		if r.Against != "" {
			ratio = fmt.Sprintf("%.2f × %s", r.Ratio, r.Against)
		}
		if r.Met != nil {
			verdict = map[bool]string{true: "met", false: "NOT MET"}[*r.Met]
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", r.Name, figure(r.Value, r.Unit), ratio, r.Aim, verdict)
	}
	_ = tw.Flush() // what cannot be shown cannot be shown
}

func figure(value float64, unit string) string {
	if value == float64(int(value)) {
		return fmt.Sprintf("%d %s", int(value), unit)
	}
	if value >= 100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

func (t *table) write(path string) error {
	encoded, err := json.MarshalIndent(struct {
		Rows []row `json:"rows"`
	}{t.rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(encoded, '\n'), 0o600)
}
