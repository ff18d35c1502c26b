package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// The bench starts itself as the daemon that it measures.
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A run on small stores has every figure, and those that do not depend on the
// machine are as promised.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	rows := new(table)
	var progress bytes.Buffer
	if err := measure(t.Context(), &options{runs: 1, sizes: sizes{2, 3, 5}}, rows, &progress); err != nil {
		t.Fatal(err, progress.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	values := map[string]float64{}
	for _, r := range rows.rows {
		if r.Value <= 0 || r.Unit == "" || (r.Against == "") != (r.Ratio == 0) || (r.Aim == "") != (r.Met == nil) {
			t.Errorf("%+v", r)
		}
		values[r.Section+": "+r.Name] = r.Value
	}
	for name, want := range map[string]float64{
		"TPM commands: sign in, sent":                                               4,
		"TPM commands: sign in, sent, after the gesture":                            1,
		"TPM commands: sign in by PIN at our prompt, sent, after the gesture":       2,
		"TPM commands: register, sent":                                              4,
		"TPM commands: register, at the chip, behind /dev/tpmrm0":                   16,
		"TPM commands: sign in, at the chip, behind /dev/tpmrm0":                    16,
		"TPM commands: sign in, at the chip, behind /dev/tpmrm0, after the gesture": 6,
	} {
		if values[name] != want {
			t.Errorf("%s: %v, want %v", name, values[name], want)
		}
	}
	const sections, perSize, commands, daemonRows, modelled = 2, 6, 12, 4, 16
	if want := sections + 3*perSize + perSize + commands + daemonRows + modelled + 1; len(rows.rows) != want {
		t.Errorf("%d rows, want %d", len(rows.rows), want)
	}
	checkOutput(t, rows)
}

func checkOutput(t *testing.T, rows *table) {
	t.Helper()
	var out bytes.Buffer
	rows.print(&out)
	t.Logf("%s", out.String())
	for _, r := range rows.rows {
		if !strings.Contains(out.String(), "\n  "+r.Name+" ") || !strings.Contains(out.String(), "\n"+r.Section+"\n") {
			t.Errorf("%s: %s is not printed", r.Section, r.Name)
		}
	}
	file := filepath.Join(t.TempDir(), "figures.json")
	if err := rows.write(file); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Rows []row }
	if err := json.Unmarshal(content, &read); err != nil || len(read.Rows) != len(rows.rows) {
		t.Errorf("%v in %s", err, content)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	if got := micros([]time.Duration{9 * time.Second, 3 * time.Millisecond, time.Microsecond}); got != 3000 {
		t.Errorf("%v", got)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	rows := new(table)
	r := row{Section: "S", Name: "a", Value: 3, Unit: "µs", Ratio: 1.5, Against: "b"}
	rows.add(r.bound("≤ 1.5", r.Ratio, 1.5))
	r.Name, r.Ratio = "c", 1.51
	rows.add(r.bound("≤ 1.5", r.Ratio, 1.5))
	var out bytes.Buffer
	rows.print(&out)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], " met") || !strings.HasSuffix(lines[2], " NOT MET") {
		t.Errorf("%q", lines)
	}
}

// TestModel: of 4 commands 3 are light; after the gesture there is the signature alone.
func TestModel(t *testing.T) {
	t.Parallel()
	rows := &table{rows: []row{{Name: signInCounted, Value: 4}, {Name: signInCounted + afterTheGesture, Value: 1}}}
	if err := model(rows); err != nil {
		t.Fatal(err)
	}
	if all, after := rows.rows[2], rows.rows[3]; all.Value != 3*21+42.3 || after.Value != 42.3 || after.Ratio != 1 {
		t.Errorf("%+v, %+v", all, after)
	}
	if model(new(table)) == nil {
		t.Error("nothing was counted, and it is modelled")
	}
}

// TestPlot: every ratio has a bar, and nothing in it is markup of a name's.
func TestPlot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plot.svg")
	rows := &table{rows: []row{{Section: "<S>", Name: "a & b", Ratio: 2, Against: "c"}, {Section: "<S>", Name: "d", Ratio: 1, Against: "c"}, {Name: "no ratio"}}}
	if err := rows.plot(file); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(content); strings.Count(got, "<rect ") != 2 || !strings.Contains(got, "&lt;S&gt;") || !strings.Contains(got, "a &amp; b") || strings.Contains(got, "no ratio") {
		t.Errorf("%s", got)
	}
	if err := xml.Unmarshal(content, new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
	if new(table).plot(file) == nil {
		t.Error("nothing is plotted")
	}
}
