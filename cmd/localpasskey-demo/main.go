// Command localpasskey-demo shows the whole job once: a site, a daemon, a TPM, and
// somebody who wants the passkey. It is not installed; run it with `make demo`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/demo"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, demo.ErrFailed) {
		fmt.Fprintf(os.Stderr, "localpasskey-demo: %v\n", err)
	}
	os.Exit(1)
}

func command() *cobra.Command {
	config := demo.Config{Daemon: serve, Out: os.Stdout, Err: os.Stderr}
	var chip string
	c := &cobra.Command{
		Use:   "localpasskey-demo",
		Short: "Register a passkey, sign in with it, and try to take it away",
		Long: `Runs the whole job once, unattended: starts a software TPM and the daemon, registers
a passkey with a site, signs in with it, and then attacks it in the ways that
somebody could who is root on the machine but lacks the PIN.

Ends with "main job: ok", or with what failed and exit status 1.`,
		Args: cobra.NoArgs, Version: version, SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if path, ok := strings.CutPrefix(chip, "device:"); ok && path != "" {
				config.Chip, config.ChipName, config.In = node.Open(path), path, person()
			} else if chip != "swtpm" {
				return fmt.Errorf("--tpm %s is neither swtpm nor device:/dev/tpmrm0", chip)
			}
			return demo.Run(c.Context(), config)
		},
	}
	f := c.Flags()
	f.StringVar(&chip, "tpm", "swtpm", "swtpm, or device:/dev/tpmrm0 for this machine's own, after a question")
	f.BoolVar(&config.JSON, "json", false, "print one JSON object: {steps: [{name, ok, facts}], ok}")
	f.StringVar(&config.Serve, "serve", "", "afterwards keep the site's page up for a browser, at a loopback `address`")
	f.Lookup("serve").NoOptDefVal = "127.0.0.1:0"
	return c
}

// person is whoever sits at the terminal, nil where there is none.
func person() io.Reader {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	return os.Stdin
}

// serve is the daemon, as `localpasskey daemon --user` runs it.
func serve(ctx context.Context, d demo.DaemonConfig) error {
	return daemon.Run(ctx, daemon.Config{
		StorePath: d.Store, OpenTPM: d.OpenTPM, User: d.User,
		Version: version, Log: slog.New(slog.DiscardHandler),
	}, d.Socket, d.Listening)
}
