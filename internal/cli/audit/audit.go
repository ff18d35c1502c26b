// Package audit is the commands that read the audit trail.
package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

const long = ` The trail is encrypted on disk as the passkeys are, and
each entry holds the hash of the one before, so that a changed, removed or inserted
entry shows.

The last 10,000 entries are kept. A reset destroys the trail with the passkeys and begins
a new one, whose first entry is the reset. Which program asked is a hint: programs can
lie. Root can write the whole trail anew; keep an export elsewhere to notice that.`

// program is what the commands need of the program around them.
type program struct{ command.Program }

// Command is `audit`.
func Command(around command.Program) *cobra.Command {
	p := program{around}
	c := &cobra.Command{
		Use:   "audit",
		Short: "See what has happened to the passkeys",
		Long:  p.Words.Audit + long,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.list(), p.verify(), p.export())
	return c
}

// maxText bounds a text of the daemon, in code points.
const maxText = 1000

// filter says which entries are wanted.
type filter struct {
	text, event string
	since       string
	last        uint
}

func (p program) list() *cobra.Command {
	var asJSON bool
	var f filter
	c := &cobra.Command{
		Use:   "list",
		Short: "List what has happened, oldest first",
		Args:  cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) error {
			return p.onTrail(ctx, func(log *ctap.AuditResponse) error {
				entries, err := f.among(log.Entries)
				if err != nil {
					return err
				}
				if asJSON {
					return errors.Join(view.AuditJSON(p.Out, log, entries), whole(log))
				}
				p.tell(log)
				if len(entries) == 0 {
					fmt.Fprintln(p.Err, "No entry matches.")
					return whole(log)
				}
				return errors.Join(view.Audit(p.Out, entries), whole(log))
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.Flags().StringVarP(&f.text, "filter", "f", "", "only entries with this `text` in service, account or program")
	c.Flags().StringVarP(&f.event, "event", "e", "", p.Words.AuditEvent)
	c.Flags().StringVar(&f.since, "since", "", "only from this `day` on (2026-01-31)")
	c.Flags().UintVarP(&f.last, "last", "n", 0, "only the last `number` of them")
	return c
}

func (p program) verify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that no entry was changed",
		Long: `Reads the whole trail and checks that each entry opens and holds the hash of the one
before. What is broken is named, and the exit code is 1.`,
		Args: cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) error {
			return p.onWhole(ctx, func(log *ctap.AuditResponse) error {
				p.tell(log)
				fmt.Fprintf(p.Out, "The trail is whole: entries %d to %d, head %x.\n", log.First, log.Next-1, log.Head)
				return nil
			})
		}),
	}
}

func (p program) export() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write the whole trail as JSON, after checking it",
		Long: `Writes every entry as JSON, with the hashes, after checking them. The output names the
services you use. Kept on another machine it proves what the trail was.`,
		Args: cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) error {
			return p.onWhole(ctx, func(log *ctap.AuditResponse) error {
				return view.AuditJSON(p.Out, log, log.Entries)
			})
		}),
	}
}

// onTrail reads the trail and does something with it.
func (p program) onTrail(ctx context.Context, do func(*ctap.AuditResponse) error) error {
	return p.Within(ctx, func(c *ctap.Client) error {
		log, err := ctap.ReadTrail(ctx, c)
		if err != nil {
			return err
		}
		return do(log)
	})
}

// onWhole is onTrail for what wants a trail that is whole.
func (p program) onWhole(ctx context.Context, do func(*ctap.AuditResponse) error) error {
	return p.onTrail(ctx, func(log *ctap.AuditResponse) error {
		if err := whole(log); err != nil {
			return err
		}
		return do(log)
	})
}

// tell says that there was more.
func (p program) tell(log *ctap.AuditResponse) {
	if log.First > 1 {
		fmt.Fprintf(p.Err, "Entries 1 to %d are gone, the last of them since %s: the trail keeps the newest.\n",
			log.First-1, time.UnixMilli(log.Trimmed).Format(time.DateTime))
	}
}

// whole is the error of a trail that is broken.
func whole(log *ctap.AuditResponse) error {
	if log.Broken == 0 {
		return nil
	}
	return &exit.Error{
		What: fmt.Sprintf("the audit trail is broken at entry %d: %s", log.Broken, prompt.Legible(log.Why, maxText)),
		Hint: "somebody changed the store's file, or the disk did; `localpasskey audit list` shows the entries before",
		Code: exit.Failed,
	}
}

// among gives the entries that are wanted.
func (f *filter) among(all []ctap.AuditEntry) ([]ctap.AuditEntry, error) {
	var since time.Time
	if f.since != "" {
		var err error
		if since, err = time.ParseInLocation(time.DateOnly, f.since, time.Local); err != nil {
			return nil, &exit.Error{What: fmt.Sprintf("%q is not a day", f.since), Hint: "write it as 2026-01-31", Code: exit.Usage}
		}
	}
	text := strings.ToLower(f.text)
	wanted := slices.DeleteFunc(slices.Clone(all), func(e ctap.AuditEntry) bool {
		about := strings.ToLower(e.RPID + "\n" + e.Account + "\n" + strings.Join(e.Programs, "\n"))
		return !strings.Contains(about, text) || f.event != "" && string(e.Event) != f.event ||
			f.since != "" && time.UnixMilli(e.Time).Before(since)
	})
	if f.last > 0 && uint(len(wanted)) > f.last {
		wanted = wanted[uint(len(wanted))-f.last:]
	}
	return wanted, nil
}
