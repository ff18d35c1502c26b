package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// outside is an end-to-end test that measures what cannot be measured in this process,
// and what it prints: each match of shown has a name and a number, at least least of
// them.
type outside struct {
	needs []string // programs
	pkg   string
	run   string // the test
	shown *regexp.Regexp
	least int
	rows  func(name string, number float64, ratio string) row
}

// extensionLimit is the aim for the browser extension, in milliseconds.
const extensionLimit = 25

// kernelBase is what the ratios of TestLatencyThroughTheKernel are to.
const kernelBase = "TPM2_Sign, key loaded, /dev/tpmrm0"

func outsides() []outside {
	return []outside{
		{
			needs: []string{"qemu-system-x86_64", "swtpm"},
			pkg:   "./internal/tpm", run: "^TestLatencyThroughTheKernel$",
			shown: regexp.MustCompile(`(?m)^ *(\S[^\n]*?) {2,}(\d+) µs {2,}([0-9.]+) ×`), least: 10,
			rows: kernelRow,
		},
		{
			needs: []string{"qemu-system-x86_64", "swtpm"},
			pkg:   "./internal/tpm", run: "^TestCommandsThroughTheKernel$",
			shown: regexp.MustCompile(`(?m)^ *((?:sign in|register), [^\n]*?) {2,}(\d+) {2,}(\d+) {2,}\d+ {2,}\d+$`), least: 4,
			rows: func(name string, number float64, after string) row {
				return row{
					Section: "TPM commands that reach the chip, in its own log, behind a real kernel's /dev/tpmrm0 (in a virtual machine)",
					Name:    name + " (" + after + " after the gesture)", Value: number, Unit: "commands",
				}
			},
		},
		{
			needs: []string{"qemu-system-x86_64", "swtpm"},
			pkg:   "./test/bench", run: "^TestMessagesThroughTheKernel$",
			shown: regexp.MustCompile(`([0-9,]+ bytes, through /dev/uhid[^:\n]*): ([0-9.]+) (messages/s|MB/s)`), least: 2,
			rows: func(name string, number float64, unit string) row {
				return row{Section: hidSection, Name: name, Value: number, Unit: unit}
			},
		},
		{
			needs: []string{"chromium", "firefox-esr", "swtpm"},
			pkg:   "./test/extension", run: "^TestCeremonies$/.*/^speed$",
			shown: regexp.MustCompile(`(?s)=== RUN +TestCeremonies/(\w+)/speed\n.*?extension and host add ([0-9.]+) ms()`), least: 2,
			rows: func(browser string, ms float64, _ string) row {
				return row{Section: "The browser extension", Name: "what extension and host add to a ceremony in " + browser, Value: ms, Unit: "ms"}.
					Bound("≤ 25 ms", ms, extensionLimit)
			},
		},
	}
}

// kernelRow is a row of TestLatencyThroughTheKernel.
func kernelRow(name string, micros float64, ratio string) row {
	r := row{Section: "Through a real kernel's /dev/tpmrm0, without the store, in a virtual machine (median)", Name: name, Value: micros, Unit: "µs"}
	if name == kernelBase {
		return r
	}
	r.Against = "TPM2_Sign, /dev/tpmrm0"
	r.Ratio, _ = strconv.ParseFloat(ratio, 64) // it is digits and points
	if strings.HasPrefix(name, "sign in, ticket live, after") {
		r = r.Bound("≤ 1.5", r.Ratio, signLimit)
		r.Marks = []figures.Mark{{Drawing: figures.Gesture, Of: "sign in, /dev/tpmrm0 in QEMU"}}
	}
	return r
}

// measureOutside runs the end-to-end tests whose programs are here, one after the other,
// and says which were left out.
func measureOutside(ctx context.Context, progress io.Writer, t *table) error {
	for _, o := range outsides() {
		if missing := o.missing(); missing != "" {
			fmt.Fprintf(progress, "without %s: %s is not installed; make e2e installs it\n", o.run, missing)
			continue
		}
		fmt.Fprintf(progress, "running %s of %s…\n", o.run, o.pkg)
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-tags", "e2e", "-parallel", "1", "-v", "-run", o.run, o.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		output, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", o.run, err, output)
		}
		rows, err := o.read(string(output))
		if err != nil {
			return err
		}
		for _, r := range rows {
			t.add(r)
		}
	}
	return nil
}

func (o outside) missing() string {
	for _, program := range o.needs {
		if _, err := exec.LookPath(program); err != nil {
			return program
		}
	}
	return ""
}

// read makes rows of what the test has printed.
func (o outside) read(output string) ([]row, error) {
	var rows []row
	for _, match := range o.shown.FindAllStringSubmatch(output, -1) {
		number, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return nil, err
		}
		rows = append(rows, o.rows(match[1], number, match[3]))
	}
	if len(rows) < o.least {
		return nil, fmt.Errorf("%s printed %d figures, and not %d: %s", o.run, len(rows), o.least, output)
	}
	return rows, nil
}
