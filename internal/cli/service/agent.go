package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// daemonPause is how often an agent looks whether its daemon is back.
const daemonPause = time.Second

func (p Program) agentCommand() *cobra.Command {
	o := AgentOptions{}
	c := &cobra.Command{
		Use:   "agent",
		Short: "Ask you what the daemon wants to know, in your own session",
		Long: `Shows the daemon's questions where you are, until Ctrl-C: whether a passkey may be made
or used, for which service and account, and which program asks. You answer in a dialog of
your desktop's pinentry program, which GnuPG uses too, or on this terminal where there is
none. PINs go from there to the daemon and on to the TPM; nothing is kept.

It also tells you afterwards, in notifications of your desktop. --notify says how much:
  warnings  3 or fewer tries of the PIN are left, wherever the wrong ones were typed; the PIN
            is locked; the TPM was cleared or changed, and which passkeys are gone by that
  uses      the warnings, and each passkey that is made or used: site, account, program
  none      nothing
Each use has asked you already, so "warnings" is what there is without the flag. With "uses"
the desktop keeps the names of sites, and may show them on the lock screen. A notification
asks nothing, and clicking it does nothing.

Of several agents the one that was started last asks. When the daemon ends, the agent
waits for the next one.`,
		Args: cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) (err error) {
			if !slices.Contains(levels(), o.Notify) {
				return usageError(fmt.Sprintf("there is nothing to notify of that is called %q", o.Notify), "--notify takes "+strings.Join(levels(), ", "))
			}
			if o.Socket, err = p.Sockets.Client(); err != nil {
				return err
			}
			return p.agent(ctx, o)
		}),
	}
	c.Flags().StringVar(&o.Notify, "notify", defaultLevel, "what your desktop's notifications tell: "+strings.Join(levels(), ", "))
	c.Flags().StringVar(&o.Pinentry, "pinentry", "", "the pinentry `program`; the system's own, if not named")
	return c
}

// defaultLevel tells what nobody would know otherwise: each use has asked already.
const defaultLevel = "warnings"

// levels are how much can be told: see package notify.
func levels() []string { return []string{"uses", defaultLevel, "none"} }

// agent serves one daemon after another. The first one has to be there.
func (p Program) agent(ctx context.Context, o AgentOptions) error {
	for served := false; ; {
		taken := false
		o.Attending = func(how string) {
			taken = true
			p.note("Asking by %s. Ctrl-C ends it.", prompt.Legible(how, maxText))
		}
		err := p.Agent(ctx, o)
		problem, ok := errors.AsType[*ctap.Problem](err)
		switch {
		case ctx.Err() != nil:
			return nil
		case !ok, problem.Status == ctap.NotAllowed, !taken && !served:
			return err
		case taken:
			p.note("%s. Waiting for it to come back.", prompt.Legible(problem.What, maxText))
		}
		served = true
		select {
		case <-time.After(daemonPause):
		case <-ctx.Done():
			return nil
		}
	}
}
