package cli_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/doctor"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// TestMain makes the test binary a `localpasskey` that differs from the real one in
// one thing: its daemon has a software TPM.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"localpasskey": localpasskey, "pinentry": scriptedPinentry})
}

// scriptedPinentry is the program whose dialogs `answers` scripts.
func scriptedPinentry() {
	if err := pinentrytest.Run(os.Getenv("PINENTRY_DIR"), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func localpasskey() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := cli.Program{
		Version: "0.0.0-test",
		In:      os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Socket: os.Getenv("SOCKET"), Store: os.Getenv("STORE"), State: os.Getenv("STATE"),
		Daemon: func(ctx context.Context, o service.DaemonOptions) (err error) {
			chip, err := swtpm.Start(ctx, o.TPM)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, chip.Close()) }()
			terminal, err := prompt.Open("/dev/tty")
			if err != nil {
				return err
			}
			defer terminal.Close()
			return daemon.Run(ctx, daemon.Config{
				StorePath: o.Store, OpenTPM: chip.Opener(), Version: "0.0.0-test",
				User: terminal, BuiltInUV: terminal.Foreground,
				Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			}, o.Socket, o.Listening)
		},
		Agent: func(ctx context.Context, o service.AgentOptions) error {
			path, ok := pinentry.Find(o.Pinentry)
			if !ok {
				return &ctap.Problem{What: "there is no program " + o.Pinentry, Hint: "name one that is: --pinentry PROGRAM"}
			}
			desk := agent.NewDesk(pinentry.New(path, nil))
			defer desk.Close()
			return socket.Attend(ctx, o.Socket, func() { o.Attending(path) }, desk.Answer)
		},
		Machine: doctor.Machine{Root: os.Getenv("MACHINE"), UID: 1000, Now: time.Now()},
	}.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon":      startDaemon,
			"stop":        stopDaemon,
			"exits":       exits,
			"person":      person,
			"asked":       asked,
			"makepasskey": makePasskey,
			"signin":      signIn,
			"damage":      damage,
			"tamper":      tamper,
			"maker":       maker,
			"answers":     answers,
			"shown":       shown,
			"attended":    attended,
			"forget":      func(ts *testscript.TestScript, _ bool, _ []string) { behind(ts).person.Asked() },
			"owned":       setOwnerPassword,
			"unplug":      func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(behind(ts).chips["tpm"].Close()) },
			"plug": func(ts *testscript.TestScript, _ bool, _ []string) {
				b := behind(ts)
				ts.Check(b.chips["tpm"].Restart(b.ctx))
			},
		},
	})
}

// noSleep keeps the race detector from resting a second at each command's end.
const noSleep = "atexit_sleep_ms=0"

// backstage is what a script has running behind it.
type backstage struct {
	ctx     context.Context
	log     *slog.Logger
	person  *ctaptest.Person
	chips   map[string]*swtpm.TPM // by directory
	daemons map[string]*running   // by socket
}

type running struct {
	stop  context.CancelFunc
	ended chan error
}

// end ends the daemon and gives what came of it.
func (d *running) end() error {
	d.stop()
	return <-d.ended
}

type backstageKey struct{}

func behind(ts *testscript.TestScript) *backstage {
	b, ok := ts.Value(backstageKey{}).(*backstage)
	if !ok {
		ts.Fatalf("no backstage")
	}
	return b
}

func setUp(env *testscript.Env) error {
	b := &backstage{
		ctx:     context.Background(),
		log:     slog.New(slog.DiscardHandler),
		person:  ctaptest.NewPerson(ctaptest.Auto, 0),
		chips:   map[string]*swtpm.TPM{},
		daemons: map[string]*running{},
	}
	env.Values[backstageKey{}] = b
	env.Setenv("SOCKET", filepath.Join(env.WorkDir, "run", "socket"))
	env.Setenv("STORE", filepath.Join(env.WorkDir, "data", "passkeys.db"))
	env.Setenv("PINENTRY", filepath.Join(strings.Split(env.Getenv("PATH"), ":")[0], "pinentry"))
	env.Setenv("PINENTRY_DIR", env.WorkDir)
	env.Setenv("MACHINE", filepath.Join(env.WorkDir, "machine"))
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", noSleep)
	env.Defer(func() {
		for _, d := range b.daemons {
			_ = d.end() // scripts that mind call stop
		}
		for _, chip := range b.chips {
			_ = chip.Close()
		}
	})
	return nil
}

// startDaemon is `[!] daemon [tpm=NAME] [socket=PATH]`: a daemon in this process, with
// the script's person. The same name is the same TPM.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	b := behind(ts)
	options := map[string]string{"tpm": "tpm", "socket": ts.Getenv("SOCKET")}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		options[name] = value
	}
	chip := b.chips[options["tpm"]]
	if chip == nil {
		dir := ts.MkAbs(options["tpm"])
		ts.Check(os.MkdirAll(dir, 0o700))
		var err error
		chip, err = swtpm.Start(b.ctx, dir)
		ts.Check(err)
		b.chips[options["tpm"]] = chip
	}
	config := daemon.Config{
		StorePath: ts.Getenv("STORE"), OpenTPM: chip.Opener(), User: b.person,
		BuiltInUV: func() bool { return true }, Version: "0.0.0-test", Log: b.log,
	}
	ctx, stop := context.WithCancel(b.ctx)
	d := &running{stop: stop, ended: make(chan error, 1)}
	listening := make(chan struct{})
	go func() {
		d.ended <- daemon.Run(ctx, config, options["socket"], func() { close(listening) })
	}()
	select {
	case <-listening:
		b.daemons[options["socket"]] = d
		if neg {
			ts.Fatalf("the daemon started")
		}
	case err := <-d.ended:
		stop()
		if !neg {
			ts.Fatalf("the daemon did not start: %v", err)
		}
		fmt.Fprintln(ts.Stderr(), err)
	}
}

// stopDaemon is `stop [SOCKET]`: the daemon ends and its store is closed.
func stopDaemon(ts *testscript.TestScript, _ bool, args []string) {
	b := behind(ts)
	path := ts.Getenv("SOCKET")
	if len(args) > 0 {
		path = args[0]
	}
	d := b.daemons[path]
	if d == nil {
		ts.Fatalf("no daemon at %s", path)
	}
	delete(b.daemons, path)
	ts.Check(d.end())
}

// exits is `exits CODE PROGRAM ARGS…`: exec, with the exit code it must have.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// person is `person auto|hold|deny` or `person types PIN…`.
func person(ts *testscript.TestScript, _ bool, args []string) {
	b := behind(ts)
	if args[0] == "types" {
		b.person.SetPINs(args[1:]...)
		return
	}
	b.person.SetTouch(ctaptest.Touch(args[0]))
}

// asked is `asked OPERATION [TEXT…]`: since the last time, the person was asked that
// once, and the question holds these texts. `asked nothing` is what it says.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	asks := behind(ts).person.Asked()
	if args[0] == "nothing" {
		if len(asks) != 0 {
			ts.Fatalf("asked %+v", asks)
		}
		return
	}
	if len(asks) != 1 || asks[0].Operation != authenticator.Operation(args[0]) {
		ts.Fatalf("asked %d questions, %+v; want one, %q", len(asks), asks, args[0])
	}
	text := fmt.Sprintf("%+v", asks[0])
	for _, want := range args[1:] {
		if !strings.Contains(text, want) {
			ts.Fatalf("the question lacks %q: %s", want, text)
		}
	}
}

// damage is `damage FILE`: a byte in the middle of each page after the first is
// another one.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	content, err := os.ReadFile(path)
	ts.Check(err)
	for at := 4096 + 100; at < len(content); at += 4096 {
		content[at] ^= 0x55
	}
	ts.Check(os.WriteFile(path, content, 0o600))
}

// setOwnerPassword is `owned`: somebody sets an owner password on the TPM.
func setOwnerPassword(ts *testscript.TestScript, _ bool, _ []string) {
	b := behind(ts)
	conn, err := b.chips["tpm"].Opener()(b.ctx)
	ts.Check(err)
	defer conn.Close()
	_, err = tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: []byte("somebody's")},
	}.Execute(conn)
	ts.Check(err)
}
