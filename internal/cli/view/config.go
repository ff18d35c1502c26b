package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/demand"
)

// Config shows what the authenticator demands.
func Config(out io.Writer, info *ctap.GetInfoResponse, fingers *finger.State, w words.Words) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	always := w.AlwaysUVOff
	if info.Options["alwaysUv"] {
		always = w.AlwaysUVOn
	}
	fmt.Fprintf(table, "always-uv\t%s\n", always)
	if w.PINs {
		fmt.Fprintf(table, "min-pin-length\t%d\n", info.MinPINLength)
	}
	switch {
	case fingers.Unavailable:
	case fingers.Seconds == 0:
		fmt.Fprintln(table, "fingerprint\toff: the PIN is typed each time")
	default:
		fmt.Fprintf(table, "fingerprint\ton: for %s after the PIN a finger stands for it, or until the screen is locked\n", demand.Span(fingers.Seconds))
	}
	if mustChange(info) {
		fmt.Fprintln(table, "PIN\thas to be changed: `localpasskey pin change`")
	}
	return table.Flush()
}

func mustChange(info *ctap.GetInfoResponse) bool {
	return info.ForcePINChange != nil && *info.ForcePINChange
}

// configJSON is what ConfigJSON writes.
type configJSON struct {
	AlwaysUV       bool `json:"always_uv"`
	MinPINLength   uint `json:"min_pin_length"`
	ForcePINChange bool `json:"force_pin_change"`
	FingerSeconds  uint `json:"fingerprint_seconds"`
}

// ConfigJSON is Config for scripts.
func ConfigJSON(out io.Writer, info *ctap.GetInfoResponse, fingers *finger.State) error {
	return JSON(out, configJSON{
		AlwaysUV: info.Options["alwaysUv"], MinPINLength: info.MinPINLength, ForcePINChange: mustChange(info),
		FingerSeconds: fingers.Seconds,
	})
}
