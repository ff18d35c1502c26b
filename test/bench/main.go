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
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// options are what the command line says.
type options struct {
	sizes  sizes
	runs   int
	quick  bool
	from   string
	record string
	svg    string
	docs   string
	serve  string
}

// row is one figure, and table is all of them, in order; what is modelled comes after
// what is measured.
type (
	row   = figures.Row
	table struct{ rows, modelled []row }
)

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// all gives each section in one piece.
func (t *table) all() []row { return figures.Gather(slices.Concat(t.rows, t.modelled)) }

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
	o := options{sizes: sizes{10, 1_000, 10_000, 50_000}}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.runs, "runs", 51, "samples of each kind")
	f.BoolVar(&o.quick, "quick", false, "leave out what takes a virtual machine or browsers; what is not installed is left out anyway")
	f.StringVar(&o.record, "record", "", "keep the figures in this `FILE` too, as JSON")
	f.StringVar(&o.svg, "svg", "", "draw the figures into this `DIR`")
	f.StringVar(&o.docs, "docs", "", "rewrite the record, the page and the drawings in this `DIR` (docs)")
	f.StringVar(&o.from, "from", "", "measure nothing: show, draw and write what this `FILE` has recorded")
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
	record, err := obtain(ctx, &o, stderr)
	if err != nil {
		return err
	}
	figures.Print(stdout, record.Rows)
	return o.keep(record)
}

// obtain measures, or reads what was measured.
func obtain(ctx context.Context, o *options, progress io.Writer) (*figures.Record, error) {
	if o.from != "" {
		return figures.Read(o.from)
	}
	record := &figures.Record{Date: time.Now().Format(time.DateOnly), Machine: machine()}
	t := new(table)
	if err := measure(ctx, o, t, progress); err != nil {
		return nil, err
	}
	if !o.quick {
		if err := measureOutside(ctx, progress, t); err != nil {
			return nil, err
		}
	}
	record.Rows = t.all()
	return record, nil
}

// keep writes the record to where it is wanted.
func (o *options) keep(record *figures.Record) error {
	var errs []error
	if o.record != "" {
		errs = append(errs, record.Write(o.record))
	}
	if o.svg != "" {
		errs = append(errs, record.Draw(o.svg))
	}
	if o.docs != "" {
		errs = append(errs, record.Document(o.docs))
	}
	return errors.Join(errs...)
}

// machine says in a few words what was measured on, and how busy it was before.
func machine() string {
	load := "unknown"
	if content, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(content), " ")
	}
	return fmt.Sprintf("%s/%s with %d processors, software TPM (swtpm), load before the run %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load)
}

// measure fills the table with what can be measured by this program alone.
func measure(ctx context.Context, o *options, t *table, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "localpasskey-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(progress, "filling stores with %d passkeys…\n", o.sizes)
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
	fmt.Fprintln(progress, "playing published chips…")
	if err := r.model(ctx, o.runs, t); err != nil {
		return err
	}
	if err := r.measureOpening(ctx, o.runs, t); err != nil {
		return err
	}
	// From here on the TPM's state belongs to the daemon that is measured.
	if err := r.close(); err != nil {
		return err
	}
	fmt.Fprintln(progress, "starting daemons and building the programs…")
	for _, size := range o.sizes[max(0, len(o.sizes)-daemonSizes):] {
		if err := measureProcess(ctx, filepath.Join(dir, storeDir(size)), size, o.runs, r, t); err != nil {
			return err
		}
	}
	if err := measurePrograms(ctx, dir, t); err != nil {
		return err
	}
	return measureFraming(ctx, 10*o.runs, t)
}
