// Package mac is the commands that are otherwise on a Mac: set-up chooses what is demanded in place
// of a PIN, and the doctor looks at other things. What a Mac has no use for says so.
//
// It refuses to know how either is done: the program around it hands that in.
package mac

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
)

// Demand is what each use of a passkey takes.
type Demand int

// What can be demanded.
const (
	AnyFinger Demand = iota
	CurrentFingers
	Password
)

// Mac is what only a Mac's program can do.
type Mac struct {
	// SetUp makes the store, and says in words what each use of a passkey demands.
	SetUp func(ctx context.Context, d Demand) (string, error)
	// Check looks at this Mac, with the person's finger if they want, and tells what it finds; failed
	// is how much of it was wrong.
	Check func(ctx context.Context, finger bool) (failed int)
}

// Commands are the two, and those that are not for Macs.
func (m Mac) Commands(around command.Program) []*cobra.Command {
	all := []*cobra.Command{m.setUp(around), m.doctor(around)}
	for name, why := range Absent() {
		all = append(all, absent(around, name, why))
	}
	return all
}

const setUpLong = `Makes the store, and the key to it in this Mac's Secure Enclave. There is nothing to choose:
each use of a passkey takes a finger on Touch ID.

There is no backup. If this Mac dies or is erased, its passkeys are lost: register a second
one, on another device, at every service you care about.`

func (m Mac) setUp(around command.Program) *cobra.Command {
	var current, password bool
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make this Mac's store, and say what each use demands",
		Long:  setUpLong,
		Args:  cobra.NoArgs,
		RunE: around.Does(func(ctx context.Context, _ []string) error {
			d := AnyFinger
			switch {
			case current:
				d = CurrentFingers
			case password:
				d = Password
			}
			demands, err := m.SetUp(ctx, d)
			if err != nil {
				return err
			}
			fmt.Fprintf(around.Out, "LocalPasskey is set up. Each use of a passkey demands %s.\n\n"+
				"If this Mac dies, its passkeys die: register a second one elsewhere,\n"+
				"at every service you care about. Nobody can restore them, we included.\n", demands)
			return nil
		}),
	}
	c.Flags().BoolVar(&current, "current-fingers", false, "only fingers that Touch ID knows when a passkey is made; adding or removing\none kills the passkeys that are here")
	c.Flags().BoolVar(&password, "password", false, "the login password will do in place of a finger: for Macs without Touch ID")
	c.MarkFlagsMutuallyExclusive("current-fingers", "password")
	return c
}

const doctorLong = `Looks whether all that is called of macOS is there, and makes and uses throw-away keys in the
Secure Enclave. It changes nothing and touches no passkey. With --finger Touch ID and a panel ask
you a few times, and it says what to do at each.

Exit codes: 0 there is no problem, 1 there is one, 2 wrong usage.`

func (m Mac) doctor(around command.Program) *cobra.Command {
	var finger bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what stands in the way on this Mac",
		Long:  doctorLong,
		Args:  cobra.NoArgs,
		RunE: around.Does(func(ctx context.Context, _ []string) error {
			if failed := m.Check(ctx, finger); failed > 0 {
				return &exit.Error{What: fmt.Sprintf("%d of these failed", failed), Hint: "docs/macos-checklist.md says what each finds out; please tell us", Code: exit.Failed}
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&finger, "finger", false, "ask for a finger too")
	return c
}

// Absent are commands of other machines, and what a Mac has instead.
func Absent() map[string]string {
	const touchID = "Touch ID takes its place: see System Settings > Touch ID & Password"
	return map[string]string{
		"daemon":    "a Mac needs none: each command speaks to the Secure Enclave itself",
		"agent":     "a Mac needs none: Touch ID asks by itself",
		"pin":       "a Mac has none: " + touchID,
		"reconnect": "nothing is plugged in on a Mac, and Touch ID counts wrong fingers itself",
		"prove":     "the Secure Enclave vouches for its keys to nobody but Apple",
	}
}

// absent is not listed, and says why it is not there.
func absent(around command.Program, name, why string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: "Not for Macs", Hidden: true, DisableFlagParsing: true,
		RunE: around.Does(func(context.Context, []string) error {
			return &exit.Error{What: "`localpasskey " + name + "` is not for Macs", Hint: why, Code: exit.Usage}
		}),
	}
}
