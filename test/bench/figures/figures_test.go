package figures

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// docs is where the documents are.
const docs = "../../../docs"

// TestDocs: the page and the drawings in docs are what this program makes of the record
// there.
func TestDocs(t *testing.T) {
	t.Parallel()
	record, err := Read(filepath.Join(docs, recordFile))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	again, err := record.Page(page)
	if err != nil || !bytes.Equal(again, page) {
		t.Errorf("docs/%s is not what was recorded (%v); hint: make bench BENCH='-from docs/bench.json -docs docs'", pageFile, err)
	}
	drawings, err := record.Drawings()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range drawings {
		got, err := os.ReadFile(filepath.Join(docs, imagesDir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/images/%s is not what was recorded (%v)", name, err)
		}
		if !strings.Contains(string(page), "("+imagesDir+"/"+name+")") {
			t.Errorf("docs/%s does not show %s", pageFile, name)
		}
	}
}

// sample is a record in which every drawing has something.
func sample() *Record {
	gesture := Row{Section: "<S>", Name: "a | b", Value: 1234, Unit: "µs", Ratio: 1.2, Against: "c", Marks: []Mark{
		{Drawing: Gesture, Of: "me & you"}, {Drawing: Growth, Series: "s", X: 10},
	}}
	late := Row{Section: "<S>", Name: "d", Value: 2.25, Unit: "ms", Ratio: 2, Against: "c", Marks: []Mark{
		{Drawing: Gesture, Of: "them"}, {Drawing: Growth, Series: "s", X: 1000}, {Drawing: Chips, Of: "x", Series: "t"},
	}}
	return &Record{Date: "2026-01-02", Machine: "a machine", Rows: []Row{gesture.Bound("≤ 1.5", 1.2, 1.5), late.Bound("≤ 1.5", 2, 1.5)}}
}

// TestDrawings: every mark is drawn, in well-formed XML, and no name is markup.
func TestDrawings(t *testing.T) {
	t.Parallel()
	drawings, err := sample().Drawings()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"bench-gesture.svg": {"me &amp; you", ">them<", ">1.20<", ">2.00<", "aim: 1.5"},
		"bench-chips.svg":   {">x<"},
		"bench-growth.svg":  {">1,000<", ">s<", "<polyline "},
	} {
		for _, text := range want {
			if !strings.Contains(string(drawings[name]), text) {
				t.Errorf("%s has no %s: %s", name, text, drawings[name])
			}
		}
		if err := xml.Unmarshal(drawings[name], new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := strings.Count(string(drawings["bench-gesture.svg"]), ` rx="2" class="b"`); got != 2 {
		t.Errorf("%d bars, want 2", got)
	}
	if _, err := new(Record).Drawings(); err == nil {
		t.Error("nothing is drawn, and that is no error")
	}
}

// TestPage: the tables come between the marks, and replace what was there.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := sample().Page([]byte("before\n" + beginMark + "old\n" + endMark + "after\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + beginMark + `Recorded on 2026-01-02; a machine.

### &lt;S>

| what | figure | against | aim | |
|---|--:|---|---|---|
| a \| b | 1,234 µs | 1.20 × c | ≤ 1.5 | met |
| d | 2.2 ms | 2.00 × c | ≤ 1.5 | **NOT MET** |
` + endMark + "after\n"
	if string(page) != want {
		t.Errorf("%s\nwant\n%s", page, want)
	}
	if again, err := sample().Page(page); err != nil || !bytes.Equal(again, page) {
		t.Errorf("not the same the second time: %v", err)
	}
	for _, broken := range []string{"", beginMark, endMark + beginMark} {
		if _, err := sample().Page([]byte(broken)); err == nil {
			t.Errorf("%q has no place for figures, and that is no error", broken)
		}
	}
}

// TestDocument: what is written is what is read.
func TestDocument(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := sample().Document(dir); err == nil {
		t.Error("there is no page, and that is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, imagesDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, pageFile), []byte(beginMark+endMark), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sample().Document(dir); err != nil {
		t.Fatal(err)
	}
	record, err := Read(filepath.Join(dir, recordFile))
	if err != nil || len(record.Rows) != 2 || record.tables() != sample().tables() {
		t.Errorf("%+v, %v", record, err)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := Row{Section: "S", Name: "a", Value: 3, Unit: "µs", Ratio: 1.5, Against: "b"}
	rows := []Row{r.Bound("≤ 1.5", r.Ratio, 1.5)}
	r.Name, r.Ratio = "c", 1.51
	rows = append(rows, r.Bound("≤ 1.5", r.Ratio, 1.5))
	var out bytes.Buffer
	Print(&out, rows)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], " met") || !strings.HasSuffix(lines[2], " NOT MET") {
		t.Errorf("%q", lines)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	if got := Median([]time.Duration{9 * time.Second, 3 * time.Millisecond, time.Microsecond}); got != 3000 {
		t.Errorf("%v", got)
	}
	for value, want := range map[float64]string{4: "4 x", 1234567: "1,234,567 x", 99.96: "100.0 x", 1000.4: "1,000 x", 0.25: "0.2 x"} {
		if got := (Row{Value: value, Unit: "x"}).Figure(); got != want {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
	rows := Gather([]Row{{Section: "a", Name: "1"}, {Section: "b", Name: "2"}, {Section: "a", Name: "3"}})
	if got := rows[0].Name + rows[1].Name + rows[2].Name; got != "132" {
		t.Errorf("%s", got)
	}
}

// TestSteps: an axis has a handful of marks at round numbers.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, most := range []float64{0.9, 1.5, 3.2, 7, 9.1, 391, 1050} {
		step := stepOf(most)
		if n := most / step; n > 7 || n < 2 {
			t.Errorf("%v: %v marks of %v", most, n, step)
		}
		digits := step
		for digits < 1 {
			digits *= 10
		}
		for digits >= 10 {
			digits /= 10
		}
		if !slices.Contains([]float64{1, 2, 2.5, 5}, digits) {
			t.Errorf("%v is no round number", step)
		}
	}
}
