package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// manPerm: manual pages are for everybody.
const manPerm = 0o644

func (r *run) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: r.does(func(_ context.Context, args []string) error {
			return r.writeManual(root, args[0])
		}),
	}
}

// writeManual writes a page for each command that can be seen.
func (r *run) writeManual(c *cobra.Command, dir string) error {
	if c.Hidden {
		return nil
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	page := []byte(r.manualPage(c, name))
	if err := os.WriteFile(filepath.Join(dir, name+".1"), page, manPerm); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if err := r.writeManual(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

// manualPage is the help of a command in the language of man(7).
func (r *run) manualPage(c *cobra.Command, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"localpasskey %s\"\n", strings.ToUpper(roff(name)), roff(r.Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	if c.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(c.Long))
	}
	if c.HasAvailableFlags() {
		fmt.Fprintf(&b, ".SH OPTIONS\n.nf\n%s%s.fi\n", roff(c.LocalFlags().FlagUsages()), roff(c.InheritedFlags().FlagUsages()))
	}
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
			}
		}
	}
	return b.String()
}

// roff keeps troff from reading text as instructions.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
