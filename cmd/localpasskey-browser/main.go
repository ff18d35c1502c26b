// Command localpasskey-browser is started by a browser, for the LocalPasskey extension: a
// native-messaging host in front of the daemon.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/nativemsg"
	"github.com/localpasskey/localpasskey/internal/places"
	"github.com/localpasskey/localpasskey/internal/process"
)

// version is set when the program is linked (see the Makefile), which only works with a
// variable.
var version = "unknown"

func main() {
	// Firefox sends SIGTERM to a host that outlives its port.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	thread := mainthread.New()
	code := thread.Run(func() int {
		if err := run(ctx, thread, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "localpasskey-browser:", err)
			return 1
		}
		return 0
	})
	stop()
	os.Exit(code)
}

var errStartedByHand = errors.New("a browser starts this program, for the LocalPasskey extension\nhint: `localpasskey browser install` lets browsers find it")

func run(ctx context.Context, thread *mainthread.Thread, args []string) error {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println("localpasskey-browser", version)
		return nil
	}
	family, ok := browsers.Ours(args)
	if !ok {
		return errStartedByHand
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if dir := places.Environment(os.Getenv).State(); dir != "" {
		if err := (browsers.Log{Dir: dir}).Note(family, browser()); err != nil {
			log.WarnContext(ctx, "`localpasskey browser status` will not know of this", "cause", err)
		}
	}
	host := &nativemsg.Host{Version: version, Dial: dialer(thread, log), Manage: manage, Log: log}
	return host.Serve(ctx, os.Stdin, os.Stdout)
}

// browser is what the program that has started this one calls itself.
func browser() string {
	if chain := process.Chain(os.Getppid()); len(chain) > 0 {
		return chain[0]
	}
	return ""
}

// managerStart is how long the manager gets to say that it cannot begin.
const managerStart = time.Second

// manage starts the manager, which opens its page in the person's browser and outlives
// this program.
func manage(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(filepath.Dir(self), "localpasskey"), "manage") //nolint:gosec // Our own, from beside us.
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := program.Start(); err != nil {
		return fmt.Errorf("the manager cannot be started: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return errors.New("the manager has ended: in a terminal, `localpasskey manage` says why")
		}
		return nil
	case <-time.After(managerStart):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
