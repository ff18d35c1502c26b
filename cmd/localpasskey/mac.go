package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// notOnMacs are the commands that make no sense without a daemon or a PIN.
func notOnMacs() map[string]string {
	return map[string]string{
		"daemon": "a Mac needs none: each command speaks to the Secure Enclave itself",
		"agent":  "a Mac needs none: Touch ID asks by itself",
		"pin":    "a Mac has none: Touch ID takes its place, see System Settings > Touch ID & Password",
	}
}

// onMac runs the command line with an authenticator in this program.
func onMac(ctx context.Context, program cli.Program, config local.Config, args []string) int {
	if len(args) > 0 {
		if why, ok := notOnMacs()[args[0]]; ok {
			fmt.Fprintf(program.Err, "localpasskey: `localpasskey %s` is not for Macs\nhint: %s\n", args[0], why)
			return 2
		}
	}
	authenticator := local.New(config)
	if len(args) > 0 && args[0] == "setup" {
		return setUpMac(ctx, program, authenticator, args[1:])
	}
	code, err := within(ctx, authenticator, config, func(path string) int {
		program.Socket = path
		return program.Run(ctx, args)
	})
	if err != nil {
		fmt.Fprintf(program.Err, "localpasskey: %v\n", err)
		return max(code, 1)
	}
	return code
}

const setUpHelp = `Makes the store, and the key to it in this Mac's Secure Enclave. There is no PIN to choose:
each use of a passkey takes a finger on Touch ID.

Usage:
  localpasskey setup [--current-fingers | --password]

Flags:
  --current-fingers   only fingers that Touch ID knows when a passkey is made; adding or removing
                      one kills the passkeys that are here
  --password          the login password will do in place of a finger: for Macs without Touch ID
`

// protections are what can be demanded, by flag.
func protections() map[string]enclave.Protection {
	return map[string]enclave.Protection{"": enclave.BiometryAny, "--current-fingers": enclave.BiometryCurrentSet, "--password": enclave.UserPresence}
}

// setUpMac makes the store. There is no PIN to choose.
func setUpMac(ctx context.Context, program cli.Program, authenticator *local.Local, flags []string) int {
	flag := strings.Join(flags, " ")
	protection, ok := protections()[flag]
	switch {
	case flag == "-h" || flag == "--help":
		fmt.Fprint(program.Out, setUpHelp)
		return 0
	case !ok:
		fmt.Fprintf(program.Err, "localpasskey: setup does not know %q\nhint: see `localpasskey setup --help`\n", flag)
		return 2
	}
	err := errors.Join(authenticator.SetUp(ctx, protection), authenticator.Close())
	if p, ok := errors.AsType[*ctap.Problem](err); ok {
		fmt.Fprintf(program.Err, "localpasskey: %s\nhint: %s\n", p.What, p.Hint)
		return 1
	}
	if err != nil {
		fmt.Fprintf(program.Err, "localpasskey: %v\n", err)
		return 1
	}
	fmt.Fprintf(program.Out, "LocalPasskey is set up. Each use of a passkey demands %s.\n\n"+
		"If this Mac dies, its passkeys die: register a second one elsewhere,\n"+
		"at every service you care about. Nobody can restore them, we included.\n", protection)
	return 0
}

// within serves the authenticator at a socket of this program's own, in a directory
// that nobody else can enter, while run runs.
func within(ctx context.Context, authenticator *local.Local, config local.Config, run func(path string) int) (code int, err error) {
	dir, err := os.MkdirTemp("", "lpk-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "socket")
	listener, err := socket.Listen(path, 0o600) //nolint:contextcheck // It waits for nobody.
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- socket.Serve(ctx, listener, authenticator, config.Log) }()
	code = run(path)
	cancel()
	return code, errors.Join(<-served, authenticator.Close())
}
