// Command localpasskey is the authenticator's daemon and its command line.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// version is set when the program is linked (see the Makefile), which only works
// with a variable.
var version = "unknown"

// Where the daemon for all users listens and keeps their stores, as its units in
// packaging/linux have it. systemd names the second in STATE_DIRECTORY.
const (
	systemSocket = "/run/localpasskey/socket"
	systemState  = "/var/lib/localpasskey"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx)
	stop()
	os.Exit(code)
}

func run(ctx context.Context) int {
	if err := keepToOurselves(); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).WarnContext(ctx, "other programs of yours could look into this one", "cause", err)
	}
	program := cli.Program{
		Version: version,
		In:      os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Socket:       below(os.Getenv("XDG_RUNTIME_DIR"), "localpasskey", "socket"),
		Store:        below(dataHome(), "localpasskey", "passkeys.db"),
		SystemSocket: systemSocket,
		SystemState:  cmp.Or(os.Getenv("STATE_DIRECTORY"), systemState),
		Daemon:       runDaemon,
		Agent:        runAgent,
		State:        below(stateHome(), "localpasskey"),
		Machine:      thisMachine(),
	}
	return launch(ctx, program, os.Args[1:])
}

// below names a file below a directory that the system names. What is no absolute
// path is to be ignored (XDG Base Directory Specification).
func below(dir string, elements ...string) string {
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(append([]string{dir}, elements...)...)
}

// dataHome is where a user's data is kept.
func dataHome() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return below(os.Getenv("HOME"), ".local", "share")
}

// stateHome is where what may be lost is kept.
func stateHome() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return below(os.Getenv("HOME"), ".local", "state")
}

// runDaemon joins the daemon with this machine's TPM and the person at this terminal.
func runDaemon(ctx context.Context, o service.DaemonOptions) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if o.System {
		return runSystem(ctx, o, log)
	}
	config := daemon.Config{
		StorePath: o.Store,
		OpenTPM:   tpm.Device(o.TPM),
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
