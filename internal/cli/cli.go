package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/internal/cli/audit"
	"github.com/localpasskey/localpasskey/internal/cli/browser"
	"github.com/localpasskey/localpasskey/internal/cli/command"
	doctorcmd "github.com/localpasskey/localpasskey/internal/cli/doctor"
	"github.com/localpasskey/localpasskey/internal/cli/hide"
	"github.com/localpasskey/localpasskey/internal/cli/inventory"
	"github.com/localpasskey/localpasskey/internal/cli/mac"
	"github.com/localpasskey/localpasskey/internal/cli/man"
	"github.com/localpasskey/localpasskey/internal/cli/prove"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/doctor"
)

// Program is what the commands need of the process around them.
type Program struct {
	Version  string
	In       io.Reader
	Out, Err io.Writer
	// Socket and Store are where the user's own daemon listens and keeps its store,
	// unless a flag says otherwise; "" where the system names no place.
	Socket, Store string
	// State is where programs of ours note for each other what may be lost.
	State string
	// SystemSocket and SystemState are where the daemon for all users listens and
	// keeps their stores; "" where there is none.
	SystemSocket, SystemState string
	// Daemon runs the daemon until ctx ends.
	Daemon func(ctx context.Context, o service.DaemonOptions) error
	// Agent asks the daemon's questions until ctx ends, or the daemon does.
	Agent func(ctx context.Context, o service.AgentOptions) error
	// Machine is what `localpasskey doctor` examines; socket, store and version are ours.
	Machine doctor.Machine
	// Mac is set on a Mac, where the commands are others, and their words.
	Mac *mac.Mac
}

// run is one run of the program.
type run struct {
	Program

	sockets service.Sockets
	words   words.Words
	// begun: the command line was understood, so an error is not one of usage.
	begun bool
}

// Run runs the command line args and gives the exit code.
func (p Program) Run(ctx context.Context, args []string) int {
	r := p.begin()
	root := r.root() //nolint:contextcheck // cobra hands it to each command.
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return codeOK
	}
	f := r.explain(err)
	if !r.begun {
		f = &failure{what: err.Error(), hint: "see `" + command.CommandPath() + " --help`", code: codeUsage}
	}
	f.print(p.Err)
	return f.code
}

// begin is a run of nothing yet.
func (p Program) begin() *run {
	r := &run{Program: p, sockets: service.Sockets{Own: p.Socket, System: p.SystemSocket}, words: words.TPM()}
	if p.Mac != nil {
		r.words = words.Enclave()
	}
	return r
}

func (r *run) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "localpasskey",
		Short:         r.words.Short,
		Long:          r.words.Long + "\n\n" + r.words.Exits,
		Version:       r.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(r.In)
	root.SetOut(r.Out)
	root.SetErr(r.Err)
	root.SetVersionTemplate("localpasskey {{.Version}}\n")
	root.AddCommand(
		r.statusCommand(), r.configCommand(),
		r.manageCommand(), r.listCommand(), r.showCommand(), r.renameCommand(), r.deleteCommand(), audit.Command(r.around()), inventory.Command(r.around()),
		r.resetCommand(), r.versionCommand(), r.manCommand(root),
	)
	root.AddCommand(hide.Commands(r.around())...)
	root.AddCommand(browser.Command(r.around(), browsers.Log{Dir: r.State}))
	if r.Mac != nil {
		root.AddCommand(r.Mac.Commands(r.around())...)
	} else {
		root.PersistentFlags().StringVar(&r.sockets.Named, "socket", "", "`path` of the daemon's socket; if not named, your own daemon's or else the system's")
		root.AddCommand(r.withDaemon()...)
	}
	return root
}

// withDaemon are the commands where a daemon has the TPM.
func (r *run) withDaemon() []*cobra.Command {
	return append(service.Commands(service.Program{
		Program: r.around(), Sockets: &r.sockets, Store: r.Store, State: r.SystemState, Daemon: r.Daemon, Agent: r.Agent,
	}), r.setupCommand(), r.pinCommand(), prove.Command(r.around()), doctorcmd.Command(r.around(), r.machine), r.reconnectCommand())
}

// around is what groups of commands that are rooms of their own need of this run.
func (r *run) around() command.Program {
	return command.Program{
		Out: r.Out, Err: r.Err, Does: r.does, Words: r.words,
		Within: func(ctx context.Context, act func(c *ctap.Client) error) error {
			return r.within(ctx, func(s *session) error { return act(s.Client) })
		},
	}
}

// machine is what the doctor examines, once the flags are read.
func (r *run) machine() doctor.Machine {
	m := r.Machine
	m.Socket, m.Store, m.Version = r.Socket, r.Store, r.Version
	if path, err := r.sockets.Client(); err == nil {
		m.Socket = path
	}
	return m
}

// does makes a command's action: from here on, errors are not of usage.
func (r *run) does(act func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		r.begun = true
		return act(c.Context(), args)
	}
}

// say writes a line of result.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// note writes a line that is not part of the result.
func (r *run) note(format string, args ...any) { fmt.Fprintf(r.Err, format+"\n", args...) }

func (r *run) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: r.does(func(context.Context, []string) error {
			r.say("localpasskey %s", r.Version)
			return nil
		}),
	}
}

func (r *run) manCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: r.does(func(_ context.Context, args []string) error {
			return man.Write(root, r.Version, args[0])
		}),
	}
}

// usageError is a wrong command line that cobra could not see.
func usageError(what, hint string) error { return &failure{what: what, hint: hint, code: codeUsage} }

// errRefused is the person's no at a question of ours.
var errRefused = errors.New("refused")
