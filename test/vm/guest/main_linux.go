// Command guest is the authenticator of the tests in a virtual machine: the real
// daemon's, on the machine's own TPM, behind a HID device of its kernel. A scripted
// person says yes to everything, so it is never shipped.
//
// It prints "ready" when the device is made, and ends on SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/uhid"
)

// touchDelay lets clients see that a touch is waited for.
const touchDelay = 200 * time.Millisecond

func main() {
	var o options
	flag.StringVar(&o.store, "store", "", "file of the store; it is made where it is missing")
	flag.StringVar(&o.unique, "unique", "", "what tells the HID device apart")
	flag.BoolVar(&o.alwaysUV, "always-uv", true, "in a new store: whether every use of a passkey wants the PIN")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		stop()
		os.Exit(1) //nolint:gocritic // Nothing is left to do.
	}
}

type options struct {
	store, unique string
	alwaysUV      bool
}

func run(ctx context.Context, o options) (err error) {
	open := tpm.Device("/dev/tpmrm0")
	if _, missing := os.Stat(o.store); missing != nil {
		if err := setUp(ctx, o, open); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	d := daemon.New(daemon.Config{
		StorePath: o.store, OpenTPM: open, User: ctaptest.NewPerson(ctaptest.Auto, touchDelay),
		Version: "guest", Log: log,
	})
	defer func() { err = errors.Join(err, d.Close()) }()
	device, err := uhid.Create("/dev/uhid", uhid.Info{Name: "LocalPasskey", Unique: o.unique})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	fmt.Println("ready")
	caller := ctap.Caller{UID: os.Getuid(), Door: ctap.DoorHID}
	return ctaphid.Serve(ctap.WithCaller(ctx, caller), device, func() ctap.Authenticator {
		return d.Channel(caller)
	}, log)
}

// setUp makes a store with the settings wanted. The daemon finds it complete.
func setUp(ctx context.Context, o options, open tpm.Opener) (err error) {
	s, err := store.Open(o.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	machine, err := tpm.SetUp(ctx, open, s.Ledger())
	if err != nil {
		return err
	}
	if err := s.Unlock(machine.MetadataKey(), machine.Generation()); err != nil {
		return err
	}
	settings := authenticator.DefaultSettings()
	settings.AlwaysUV = o.alwaysUV
	return s.PutSettings(settings)
}
