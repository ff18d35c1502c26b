package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/test/bench/figures"
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
	for _, r := range rows.all() {
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
	const bareRows, perSize, commands, daemonRows, programs, throughputs = 3, 7, 12, 5, 2, 4
	if want := bareRows + 3*(perSize+1) + perSize + commands + daemonSizes*daemonRows + 3*len(chips()) + programs + throughputs; len(rows.all()) != want {
		t.Errorf("%d rows, want %d", len(rows.all()), want)
	}
	checkModel(t, rows)
	checkKept(t, rows)
}

// checkModel: chips answer no sooner than is published, also when they are only played.
func checkModel(t *testing.T, rows *table) {
	t.Helper()
	for _, c := range chips() {
		for _, r := range rows.all() {
			took := time.Duration(r.Value * float64(time.Millisecond))
			switch r.Name {
			case c.name + ", " + modelBare, c.name + ", " + modelAfter:
				if took < c.sign {
					t.Errorf("%s: %v, and one signature takes %v", r.Name, took, c.sign)
				}
			case c.name + ", " + modelTotal:
				if took < c.sign+3*c.light {
					t.Errorf("%s: %v, and is four commands", r.Name, took)
				}
			}
		}
	}
}

// checkKept: what is recorded is what is read, and all of it is drawn.
func checkKept(t *testing.T, rows *table) {
	t.Helper()
	dir := t.TempDir()
	o := options{record: filepath.Join(dir, "record.json"), svg: dir}
	if err := o.keep(&figures.Record{Date: "2026-01-02", Machine: machine(), Rows: rows.all()}); err != nil {
		t.Fatal(err)
	}
	read, err := obtain(t.Context(), &options{from: o.record}, nil)
	if err != nil || len(read.Rows) != len(rows.all()) {
		t.Fatal(read, err)
	}
	drawings, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(drawings) != 3 {
		t.Errorf("%q, %v", drawings, err)
	}
}

// TestDrag: a chip takes its time for each command that reaches it, and for a signature
// more; where the figures are of what goes through Linux, swapping is in them.
func TestDrag(t *testing.T) {
	t.Parallel()
	const light, sign = 20 * time.Millisecond, 90 * time.Millisecond
	signs := tpm2.Marshal(tpm2.TPMCmdHeader{Tag: tpm2.TPMSTSessions, Length: 10, CommandCode: tpm2.TPMCCSign})
	for _, test := range []struct {
		name    string
		chip    *chip
		reached int64
		command []byte
		least   time.Duration
	}{
		{"none", nil, 3, signs, 0},
		{"nothing was sent", &chip{light: light, sign: sign}, 0, nil, 0},
		{"two light ones", &chip{light: light, sign: sign}, 2, nil, 2 * light},
		{"a signature and swapping", &chip{light: light, sign: sign}, 3, signs, 2*light + sign},
		{"the same, through Linux", &chip{light: light, sign: sign, through: true}, 3, signs, sign},
	} {
		began := time.Now()
		test.chip.drag(began, test.reached, test.command)
		if took := time.Since(began); took < test.least || test.least == 0 && took > light {
			t.Errorf("%s: %v, want %v", test.name, took, test.least)
		}
	}
}

// TestOutside: the figures that end-to-end tests print are found, and it is an error when
// they are not.
func TestOutside(t *testing.T) {
	t.Parallel()
	printed := []string{
		`        kernelcost_test.go:196: medians of 101 rounds:
                TPM2_Sign, key loaded, /dev/tpm0          3925 µs   0.48 ×  
                TPM2_Sign, key loaded, /dev/tpmrm0        8177 µs   1.00 ×  
                sign in, ticket live, after the gesture   8936 µs   1.09 ×  ≤ 1.5 met
` + strings.Repeat("                register, ticket live, in all             30124 µs  3.68 ×  \n", 7),
		`        commands that reach the chip:
                request                kernel  after the gesture  emulation  after the gesture
                sign in, ticket live   16      6                  16         6
                register, ticket live  16      6                  16         6
                sign in, PIN typed     27      14                 27         14
                register, PIN typed    27      14                 27         14
`,
		`  kernel_test.go:42: 1,650 bytes, through /dev/uhid and hidraw: 12.5 messages/s
  kernel_test.go:42: 1,650 bytes, through /dev/uhid and hidraw, each way: 0.1 MB/s
`,
		`=== RUN   TestCeremonies/Chromium/speed
    ceremonies_test.go:398: a ceremony, median of 30: 16.1 ms in the page, 2.0 ms at the socket; extension and host add 14.1 ms (aim 25)
=== CONT  TestCeremonies/Firefox
=== RUN   TestCeremonies/Firefox/speed
    ceremonies_test.go:398: a ceremony, median of 30: 16.1 ms in the page, 2.0 ms at the socket; extension and host add 27.5 ms (aim 25)
`,
	}
	found := map[string]row{}
	for i, o := range outsides() {
		rows, err := o.read(printed[i])
		if err != nil || len(rows) != o.least {
			t.Errorf("%s: %d rows, %v", o.run, len(rows), err)
		}
		if _, err := o.read("PASS"); err == nil {
			t.Errorf("%s: nothing was printed, and that is no error", o.run)
		}
		for _, r := range rows {
			found[r.Name] = r
		}
	}
	for name, want := range map[string]string{
		kernelBase: "8,177 µs  ",
		"sign in, ticket live, after the gesture":               "8,936 µs 1.09 × TPM2_Sign, /dev/tpmrm0 met",
		"sign in, PIN typed (14 after the gesture)":             "27 commands  ",
		"1,650 bytes, through /dev/uhid and hidraw":             "12.5 messages/s  ",
		"what extension and host add to a ceremony in Chromium": "14.1 ms  met",
		"what extension and host add to a ceremony in Firefox":  "27.5 ms  NOT MET",
	} {
		r := found[name]
		if got := strings.Join([]string{r.Figure(), r.Compared(), r.Verdict()}, " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestOutsideExists: the end-to-end tests that are run are there.
func TestOutsideExists(t *testing.T) {
	t.Parallel()
	for _, o := range outsides() {
		name := regexp.MustCompile(`^\^(\w+)\$`).FindStringSubmatch(o.run)[1]
		files, err := filepath.Glob(filepath.Join("../..", o.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		there := false
		for _, file := range files {
			content, err := os.ReadFile(file)
			there = there || err == nil && bytes.Contains(content, []byte("\nfunc "+name+"("))
		}
		if !there {
			t.Errorf("%s has no test %s", o.pkg, name)
		}
	}
}
