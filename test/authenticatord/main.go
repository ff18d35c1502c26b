package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// options are what the command line says.
type options struct {
	listen     string
	uhid       bool
	tpm        string
	writesChip bool
	state      string
	control    string
	touch      string
	touchDelay time.Duration
	alwaysUV   bool
	uv         bool
	pin        string
	verbose    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "authenticatord: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("authenticatord", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.listen, "listen", "", "unix:`PATH` of a SOCK_SEQPACKET socket")
	f.BoolVar(&o.uhid, "uhid", false, "be a HID device of this machine, by /dev/uhid (Linux, root)")
	f.StringVar(&o.tpm, "tpm", "swtpm", "swtpm, or device:/dev/tpmrm0")
	f.BoolVar(&o.writesChip, "i-know", false, "with -tpm device: the chip gets an NV index that nothing removes but the next reset,\nand its keys are used without asking anybody")
	f.StringVar(&o.state, "state", "", "`DIR` of store and software TPM, kept; a fresh one that is removed, if empty")
	f.StringVar(&o.control, "control", "", "`ADDRESS` of the HTTP control, on loopback; none, if empty")
	f.StringVar(&o.touch, "touch", string(ctaptest.Auto), "what the person does: auto, hold or deny")
	f.DurationVar(&o.touchDelay, "touch-delay", 200*time.Millisecond, "how long the person takes; enough for a keep-alive to be seen")
	f.BoolVar(&o.alwaysUV, "always-uv", true, "the setting, after a reset too")
	f.BoolVar(&o.uv, "uv", true, "built-in user verification; without it, clientPIN only")
	f.StringVar(&o.pin, "pin", "1234", "the `PIN` that the person types at the device's own prompt; the suite sets it")
	f.BoolVar(&o.verbose, "v", false, "log to standard error, packets that were refused too")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	return o, o.check(f.Args())
}

func (o *options) check(rest []string) error {
	_, unix := strings.CutPrefix(o.listen, "unix:")
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q", rest[0])
	case o.uhid == (o.listen != ""):
		return errors.New("one of -listen unix:PATH and -uhid is needed")
	case o.listen != "" && !unix:
		return fmt.Errorf("-listen %s is not unix:PATH", o.listen)
	}
	switch ctaptest.Touch(o.touch) {
	case ctaptest.Auto, ctaptest.Hold, ctaptest.Deny:
	default:
		return fmt.Errorf("-touch %s is none of auto, hold, deny", o.touch)
	}
	switch path, device := strings.CutPrefix(o.tpm, "device:"); {
	case device && path == "", !device && o.tpm != "swtpm":
		return fmt.Errorf("-tpm %s is neither swtpm nor device:PATH", o.tpm)
	case device && !o.writesChip:
		return errors.New("this is a program for tests, and a chip's keys would be used without asking anybody; add -i-know to insist")
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir := o.state
	if dir == "" {
		if dir, err = os.MkdirTemp("", "authenticatord-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	d := &device{
		dir:      dir,
		alwaysUV: o.alwaysUV,
		uv:       o.uv,
		plug:     plug(o),
		person:   ctaptest.NewPerson(ctaptest.Touch(o.touch), o.touchDelay, o.pin),
		log:      slog.New(slog.DiscardHandler),
	}
	if o.verbose {
		d.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if path, ok := strings.CutPrefix(o.tpm, "device:"); ok {
		d.chip = node.Open(path)
	}
	if err := d.on(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.off()) }()
	fmt.Fprintf(stdout, "device %s\n", d.where())
	if o.control != "" {
		stop, address, err := d.control(ctx, o.control, o.pin)
		if err != nil {
			return err
		}
		defer stop()
		fmt.Fprintf(stdout, "control http://%s\n", address)
	}
	fmt.Fprintln(stdout, "ready")
	<-ctx.Done()
	return nil
}

// plug is how the device appears.
func plug(o *options) func(context.Context) (door, error) {
	if o.uhid {
		return plugUHID
	}
	path := strings.TrimPrefix(o.listen, "unix:")
	return func(ctx context.Context) (door, error) {
		h, err := listen(ctx, path)
		if err != nil {
			return nil, err // not h: a nil hub in a door would pass for one
		}
		return h, nil
	}
}

// loopback refuses an address that the network can reach.
func loopback(l net.Listener) error {
	if local, ok := l.Addr().(*net.TCPAddr); !ok || !local.IP.IsLoopback() {
		return fmt.Errorf("%s is not this machine alone: use 127.0.0.1:PORT", l.Addr())
	}
	return nil
}
