package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/demand"
)

// Config shows what the authenticator demands.
func Config(out io.Writer, info *ctap.GetInfoResponse, fingers *finger.State) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "always-uv\t%s\n", onOff(info.Options["alwaysUv"]))
	fmt.Fprintf(w, "min-pin-length\t%d\n", info.MinPINLength)
	switch {
	case fingers.Unavailable:
	case fingers.Seconds == 0:
		fmt.Fprintln(w, "fingerprint\toff: the PIN is typed each time")
	default:
		fmt.Fprintf(w, "fingerprint\ton: for %s after the PIN a finger stands for it, or until the screen is locked\n", demand.Span(fingers.Seconds))
	}
	if mustChange(info) {
		fmt.Fprintln(w, "PIN\thas to be changed: `localpasskey pin change`")
	}
	return w.Flush()
}

func onOff(on bool) string {
	if on {
		return "on: every use needs the PIN, and the TPM binds new passkeys to it"
	}
	return "off: new passkeys are presence-only, the TPM signs with them without the PIN"
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
