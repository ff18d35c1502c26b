package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Config shows what the authenticator demands.
func Config(out io.Writer, info *ctap.GetInfoResponse) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "always-uv\t%s\n", onOff(info.Options["alwaysUv"]))
	fmt.Fprintf(w, "min-pin-length\t%d\n", info.MinPINLength)
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
}

// ConfigJSON is Config for scripts.
func ConfigJSON(out io.Writer, info *ctap.GetInfoResponse) error {
	return JSON(out, configJSON{
		AlwaysUV: info.Options["alwaysUv"], MinPINLength: info.MinPINLength, ForcePINChange: mustChange(info),
	})
}
