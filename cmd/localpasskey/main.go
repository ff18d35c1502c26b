// Command localpasskey is the authenticator's daemon and its command line.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/places"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// version is set when the program is linked (see the Makefile), which only works
// with a variable.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	thread := mainthread.New()
	code := thread.Run(func() int { return run(ctx, thread) })
	stop()
	os.Exit(code)
}

func run(ctx context.Context, thread *mainthread.Thread) int {
	if err := keepToOurselves(); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).WarnContext(ctx, "other programs of yours could look into this one", "cause", err)
	}
	env := places.Environment(os.Getenv)
	program := cli.Program{
		Version: version,
		In:      os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Socket:       env.Socket(),
		Store:        env.Store(),
		SystemSocket: places.SystemSocket,
		SystemState:  cmp.Or(os.Getenv("STATE_DIRECTORY"), places.SystemState),
		Daemon:       runDaemon,
		Agent: func(ctx context.Context, o service.AgentOptions) error {
			return runAgent(ctx, o, env.SessionBus())
		},
		State:   env.State(),
		Machine: thisMachine(),
	}
	return launch(ctx, thread, program, os.Args[1:])
}

// runDaemon joins the daemon with this machine's TPM and the person at this terminal.
func runDaemon(ctx context.Context, o service.DaemonOptions) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if o.System {
		return runSystem(ctx, o, log)
	}
	config := daemon.Config{
		StorePath: o.Store,
		OpenTPM:   node.Open(o.TPM),
		User:      prompt.Nobody{Log: log},
		Plug:      plug(o.UHID, os.Getuid()),
		Version:   version,
		Log:       log,
	}
	if terminal, err := prompt.Open("/dev/tty"); err == nil {
		defer terminal.Close() //nolint:errcheck // The process ends; the mode is restored with each question.
		config.User, config.BuiltInUV = terminal, terminal.Foreground
	} else {
		log.WarnContext(ctx, "there is no terminal to ask at: without an agent whatever needs your yes is refused", "cause", err)
	}
	return daemon.Run(ctx, config, o.Socket, o.Listening)
}
