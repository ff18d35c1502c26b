package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

const configLong = `Shows what is demanded of you, or changes it by knowing the PIN.`

const alwaysUVLong = `With it on, as it is from the start, every use of a passkey needs the PIN, and the TPM
itself binds each new passkey to it.

Off means that passkeys made FROM THEN ON are presence-only: the TPM signs with them
without the PIN, and only this program's question stands before it. Malware that runs
as you, or root, can use such a passkey without knowing the PIN. A service that asks
for the PIN still gets it, by this program's word alone, and listings name these
passkeys. Passkeys made before stay bound to the PIN; turning it on again does not
bind those made in between: register them anew.

What needs it: programs that know a security key only by touch (U2F, old ssh keys).`

const minPINLengthLong = `The least length of a PIN, in characters, from 4 to 63. It can be raised only; a reset
brings it back to 4. A PIN that is shorter has to be changed before its next use.`

func (r *run) configCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "config",
		Short: "See or change what is demanded: the PIN at every use, its length",
		Long:  configLong,
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error {
				info, err := s.GetInfo(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return view.ConfigJSON(r.Out, info)
				}
				return view.Config(r.Out, info)
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.AddCommand(
		r.changeConfig("always-uv on|off", "Demand the PIN at every use, or when a service asks for it", alwaysUVLong, alwaysUV),
		r.changeConfig("min-pin-length N", "Raise the least length of a PIN", minPINLengthLong, minPINLength),
	)
	return c
}

// request is one change of the settings; done says what has changed.
type request struct {
	sub    ctap.ConfigSubcommand // 0: it is so already
	params *ctap.MinPINLengthParams
	done   string
}

// changeConfig makes a sub-command that changes one setting to its one argument.
func (r *run) changeConfig(use, short, long string, parse func(argument string, info *ctap.GetInfoResponse) (request, error)) *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				info, err := s.GetInfo(ctx)
				if err != nil {
					return err
				}
				change, err := parse(args[0], info)
				if err != nil || change.sub == 0 {
					return r.saying(change.done, err)
				}
				token, err := pins.token(ctx, s, ctap.PermissionConfiguration, "")
				if err != nil {
					return err
				}
				defer token.Wipe()
				return r.saying(change.done, ctap.Configure(ctx, s.Client, token, change.sub, change.params))
			})
		}),
	}
	pins.flag(c, "the PIN (one line)")
	return c
}

// saying tells what was done, unless it was not.
func (r *run) saying(done string, err error) error {
	if err == nil {
		r.say("%s", done)
	}
	return err
}

func alwaysUV(argument string, info *ctap.GetInfoResponse) (request, error) {
	words := map[string]string{
		"on":  "The PIN is demanded at every use. Passkeys made while it was not stay presence-only.",
		"off": "The PIN is demanded when a service asks for it. Passkeys made from now on are presence-only.",
	}
	done, ok := words[argument]
	switch {
	case !ok:
		return request{}, usageError("always-uv is on or off, not "+strconv.Quote(argument), "see `localpasskey config always-uv --help`")
	case info.Options["alwaysUv"] == (argument == "on"):
		return request{done: "It is " + argument + " already."}, nil
	}
	return request{sub: ctap.ToggleAlwaysUV, done: done}, nil
}

func minPINLength(argument string, info *ctap.GetInfoResponse) (request, error) {
	n, err := strconv.ParseUint(argument, 10, 8)
	if err != nil || n < minPINPoints || n > maxPINBytes {
		return request{}, usageError("the least length of a PIN is a number from 4 to 63", "see `localpasskey config min-pin-length --help`")
	}
	least := uint(n)
	switch {
	case least < info.MinPINLength:
		return request{}, &failure{
			what: fmt.Sprintf("the least length is %d, and cannot be lowered", info.MinPINLength),
			hint: "only `localpasskey reset` brings it back to 4, and destroys every passkey", code: codeFailed,
		}
	case least == info.MinPINLength:
		return request{done: fmt.Sprintf("It is %d already.", least)}, nil
	}
	return request{
		sub: ctap.SetMinPINLength, params: &ctap.MinPINLengthParams{NewMinPINLength: &least},
		done: fmt.Sprintf("A PIN has at least %d characters now. One that is shorter has to be changed: `localpasskey pin change`.", least),
	}, nil
}
