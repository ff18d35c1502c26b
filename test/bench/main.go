package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// options are what the command line says.
type options struct {
	sizes sizes
	runs  int
	json  string
	svg   string
	serve string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{sizes: sizes{10, 1_000, 10_000}}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.runs, "runs", 31, "samples of each kind")
	f.StringVar(&o.json, "json", "", "write the figures to this `FILE` too")
	f.StringVar(&o.svg, "svg", "", "draw the ratios into this `FILE`")
	f.StringVar(&o.serve, "serve", "", "be the daemon that is measured, on the files in this `DIR` (bench starts itself so)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.serve != "" {
		return serve(ctx, o.serve, stdout)
	}
	if o.runs < 1 || f.NArg() > 0 {
		return fmt.Errorf("-runs %d, arguments %q", o.runs, f.Args())
	}
	t := new(table)
	if err := measure(ctx, &o, t, stderr); err != nil {
		return err
	}
	t.print(stdout)
	if o.svg != "" {
		if err := t.plot(o.svg); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	return t.write(o.json)
}

// measure fills the table.
func measure(ctx context.Context, o *options, t *table, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "localpasskey-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(progress, "filling stores with %d, %d and %d passkeys…\n", o.sizes[0], o.sizes[1], o.sizes[2])
	r, err := newRig(ctx, dir, o.sizes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	fmt.Fprintf(progress, "measuring, %d samples of each kind…\n", o.runs)
	if err := r.measureLatency(ctx, o.runs, t); err != nil {
		return err
	}
	if err := r.countCommands(ctx, t); err != nil {
		return err
	}
	if err := model(t); err != nil {
		return err
	}
	if err := r.measureOpening(ctx, o.runs, t); err != nil {
		return err
	}
	// From here on the TPM's state belongs to the daemon that is measured.
	if err := r.close(); err != nil {
		return err
	}
	fmt.Fprintln(progress, "starting daemons and building the program…")
	if err := measureProcess(ctx, filepath.Join(dir, storeDir(o.sizes.most())), r, t); err != nil {
		return err
	}
	return measureBinary(ctx, dir, t)
}
