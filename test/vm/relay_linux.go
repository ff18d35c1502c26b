package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// verdict is what the guest said of one test: the test itself, whose name is "", or a
// subtest with all below it.
type verdict struct {
	name   string
	action string // "pass", "fail", "skip", or "" for a test that did not end
	output string
}

// relay reports in t what the guest's test printed. passed is its exit status.
func relay(t *testing.T, output []byte, passed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "test2json")
	cmd.Stdin = bytes.NewReader(output)
	events, err := cmd.Output()
	if err != nil {
		t.Fatalf("test2json: %v", err)
	}
	verdicts, err := parse(events)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, v := range verdicts {
		if v.name == "" {
			t.Log(strings.TrimSpace(v.output))
			continue
		}
		ran++
		t.Run(v.name, func(t *testing.T) { v.report(t) })
	}
	switch {
	case !passed && !t.Failed():
		t.Error("the guest's test failed outside of its subtests")
	case ran == 0:
		t.Error("the guest's test had no subtests")
	}
}

func (v verdict) report(t *testing.T) {
	t.Log(strings.TrimSpace(v.output))
	switch v.action {
	case "pass":
	case "skip":
		t.Skip("skipped in the guest")
	case "fail":
		t.Error("failed in the guest")
	default:
		t.Error("did not end in the guest")
	}
}

// parse reads test2json's events, of one test. What tests of no name print belongs to
// the test itself.
func parse(events []byte) ([]verdict, error) {
	verdicts := []verdict{{}}
	at := map[string]int{"": 0}
	for decoder := json.NewDecoder(bytes.NewReader(events)); ; {
		var e struct{ Action, Test, Output string }
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return verdicts, nil
		} else if err != nil {
			return nil, fmt.Errorf("what test2json prints: %w", err)
		}
		_, below, _ := strings.Cut(e.Test, "/")
		name, deeper, _ := strings.Cut(below, "/")
		if _, ok := at[name]; !ok {
			at[name] = len(verdicts)
			verdicts = append(verdicts, verdict{name: name})
		}
		v := &verdicts[at[name]]
		switch e.Action {
		case "output":
			if !strings.HasPrefix(e.Output, "=== ") {
				v.output += e.Output
			}
		case "pass", "fail", "skip":
			if deeper == "" && v.action != "fail" { // which another boot does not mend
				v.action = e.Action
			}
		}
	}
}
