package cli

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/mac"
	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
)

// Words for what one of the two does not have.
const (
	notOnMac   = `(?i)\btpm|daemon|uhid|pinentry|\bagent\b|\bPINs?\b|pin-|udev|systemd|loginctl|/dev/|/run/|socket|\bapt\b|security chip|reconnect`
	notOnLinux = `(?i)secure enclave|touch ?id|\bmacs?\b`
)

// helps gives all that --help writes, by command; hidden commands are for nobody to read.
func helps(c *cobra.Command) map[string]string {
	all := map[string]string{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		var out bytes.Buffer
		c.SetOut(&out)
		_ = c.Help() // a Buffer takes everything
		all[c.CommandPath()] = out.String()
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultCompletionCmd()
	walk(c)
	return all
}

// TestMacHelp: nothing that a Mac's commands say of themselves, or answer, names what a Mac has not;
// and the other way round.
func TestMacHelp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program Program
		not     string
		want    []string
	}{
		"mac":   {Program{Version: "test", Mac: &mac.Mac{}}, notOnMac, []string{"localpasskey setup", "localpasskey doctor", "localpasskey config always-uv", "localpasskey audit list"}},
		"linux": {Program{Version: "test"}, notOnLinux, []string{"localpasskey setup", "localpasskey doctor", "localpasskey daemon", "localpasskey pin set", "localpasskey config min-pin-length"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, not := c.program.begin(), regexp.MustCompile(c.not)
			all := helps(r.root())
			for path, text := range all {
				if found := not.FindAllString(text, -1); found != nil {
					t.Errorf("%s --help names %q", path, found)
				}
			}
			for _, path := range c.want {
				if !strings.Contains(all[path], "Usage:") {
					t.Errorf("there is no help of %s", path)
				}
			}
			for status := range 256 {
				f := r.explain(ctap.Status(status))
				if found := not.FindString(f.what + " " + f.hint); found != "" {
					// A status's own name, for one that has no words of ours, is the specification's.
					if !strings.Contains(ctap.Status(status).Error(), found) {
						t.Errorf("status %#x: %q, %q name %q", status, f.what, f.hint, found)
					}
				}
			}
			var out bytes.Buffer
			for _, bound := range []bool{true, false} {
				if err := view.Passkey(&out, ctap.Passkey{RPID: "example.com", PINBound: bound}, r.words); err != nil {
					t.Fatal(err)
				}
				info := &ctap.GetInfoResponse{Options: map[string]bool{"alwaysUv": bound}}
				if err := view.Config(&out, info, &finger.State{Unavailable: true}, r.words); err != nil {
					t.Fatal(err)
				}
			}
			for _, said := range []string{out.String(), r.words.ResetDone, r.words.TurnedOn, r.words.TurnedOff} {
				if found := not.FindAllString(said, -1); found != nil {
					t.Errorf("%q names %q", said, found)
				}
			}
		})
	}
}

// TestAbsent: what is not for Macs is not listed there.
func TestAbsent(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, c := range (Program{Mac: &mac.Mac{}}).begin().root().Commands() {
		if !c.Hidden {
			listed = append(listed, c.Name())
		}
	}
	for name := range mac.Absent() {
		if slices.Contains(listed, name) {
			t.Errorf("%s is listed", name)
		}
	}
	if !slices.Contains(listed, "setup") || !slices.Contains(listed, "list") {
		t.Errorf("listed are %q", listed)
	}
}
