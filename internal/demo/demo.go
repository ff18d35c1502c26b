package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demo/attacker"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// ErrFailed says that the run has failed and that the output says how.
var ErrFailed = errors.New("the run failed")

// Config is what a run is made of.
type Config struct {
	Daemon Daemon
	// Chip is a real TPM to use in place of software ones, nil for none;
	// ChipName is how it was named.
	Chip     attacker.Opener
	ChipName string
	// JSON has one object printed instead of lines.
	JSON bool
	// Serve keeps a site's page up at this loopback address after the run; empty
	// for not at all.
	Serve string
	// In is where a person answers; nil for nobody.
	In       io.Reader
	Out, Err io.Writer
}

// facts are what a step has learnt, for scripts.
type facts map[string]any

// outcome is what a step has to show.
type outcome struct {
	said string
	facts
}

// step is one line of the run.
type step struct {
	name string
	run  func(context.Context) (*outcome, error)
}

// result is a step that was run.
type result struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Facts facts  `json:"facts,omitempty"`
	Error string `json:"error,omitempty"`
}

// demo is one run.
type demo struct {
	Config

	dir     string // everything of the run is below
	openTo  func(context.Context) (*site.Site, error)
	results []result
	main    *machine
	browser *browser
	counter uint32 // the site's view
}

// examplePIN is the PIN of every machine here.
func examplePIN() secret.Bytes { return secret.Of([]byte("correct horse")) }

// Run runs the demonstration. Its error is ErrFailed where a step failed, which was
// printed by then.
func Run(ctx context.Context, c Config) error {
	return run(ctx, c, func(ctx context.Context) (*site.Site, error) { return site.Open(ctx, "127.0.0.1:0", "") })
}

// run is Run with the sites that openTo opens.
func run(ctx context.Context, c Config, openTo func(context.Context) (*site.Site, error)) (err error) {
	d := &demo{Config: c, openTo: openTo}
	if d.dir, err = os.MkdirTemp("", "localpasskey-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	var kept *site.Site
	if c.Serve != "" {
		if kept, err = site.Open(ctx, c.Serve, ""); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kept.Close(ctx)) }()
	}
	if err := d.whole(ctx); err != nil {
		return err
	}
	if kept != nil {
		d.keep(ctx, kept)
	}
	return nil
}

// whole is the run from the first line to the verdict.
func (d *demo) whole(ctx context.Context) error {
	lackedSRK, err := d.begin(ctx)
	if err != nil {
		d.record("start", nil, err)
		return errors.Join(d.end(false), ErrFailed)
	}
	ok := d.play(ctx)
	if d.Chip != nil {
		if err := d.tellLeft(ctx, lackedSRK); err != nil {
			ok = d.record("look what is left", nil, err)
		}
	}
	if err := d.end(ok); err != nil {
		return err
	}
	if !ok {
		return ErrFailed
	}
	return nil
}

// begin says what is going to happen, and on a chip asks first. absent tells that
// the chip has no storage key yet.
func (d *demo) begin(ctx context.Context) (absent bool, err error) {
	if d.Chip == nil {
		d.line("TPM: swtpm, started for this run. This is a software TPM: it proves the flow, not the hardware.")
		return false, nil
	}
	if absent, err = d.lacksSRK(ctx); err != nil {
		return false, err
	}
	return absent, d.ask(absent)
}

// ask lists what is written to the chip, and waits for a yes.
func (d *demo) ask(absent bool) error {
	fmt.Fprintf(d.Err, "This run writes to the TPM %s:\n", d.ChipName)
	fmt.Fprintf(d.Err, "  * an NV index of 8 bytes, the first free one from %#x on; made and removed again, for each machine that it plays\n", uint32(attacker.FirstIndex))
	if absent {
		fmt.Fprintf(d.Err, "  * a storage key (SRK) at %#x, which stays: other programs expect it there and use it too\n", uint32(attacker.SRK))
	}
	fmt.Fprintf(d.Err, "It removes nothing that it has not made, and does not touch the lockout. Go on? [y/N] ")
	if d.In == nil {
		fmt.Fprintln(d.Err)
		return errors.New("nobody is there to answer; nothing was written")
	}
	answer, err := bufio.NewReader(d.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("nothing was written")
	}
}

// lacksSRK tells whether set-up is going to make the storage key.
func (d *demo) lacksSRK(ctx context.Context) (absent bool, err error) {
	err = attacker.Attacker{Open: d.Chip}.At(ctx, func(t transport.TPM) error {
		_, err := tpm2.ReadPublic{ObjectHandle: attacker.SRK}.Execute(t)
		if absent = errors.Is(err, tpm2.TPMRCHandle); absent {
			return nil
		}
		return err
	})
	return absent, err
}

// tellLeft says what stays on the chip, which did or did not lack the storage key
// before. It must answer for a run that was interrupted, too.
func (d *demo) tellLeft(ctx context.Context, lacked bool) error {
	lacks, err := d.lacksSRK(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if lacked && !lacks {
		d.line("Left on the chip: the storage key at %#x, made by this run.", uint32(attacker.SRK))
		return nil
	}
	d.line("Left on the chip: nothing.")
	return nil
}

// play runs the steps up to the first that fails.
func (d *demo) play(ctx context.Context) bool {
	ok := d.steps(ctx, d.mainJob())
	if d.main != nil {
		if err := errors.Join(d.main.shutDown(ctx), d.browser.site.Close(ctx)); err != nil && ok {
			ok = d.record("switch off", nil, err)
		}
	}
	if !ok {
		return false
	}
	d.line("Somebody who is root here but lacks the PIN tries to")
	return d.steps(ctx, d.attacks())
}

func (d *demo) steps(ctx context.Context, steps []step) bool {
	for _, s := range steps {
		o, err := s.run(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if !d.record(s.name, o, err) {
			return false
		}
	}
	return true
}

// record notes how a step went and prints its line.
func (d *demo) record(name string, o *outcome, err error) bool {
	if err != nil {
		d.results = append(d.results, result{Name: name, Error: reason(err)})
		d.line("  ✗ %s", name)
		return false
	}
	d.results = append(d.results, result{Name: name, OK: true, Facts: o.facts})
	d.line("  ✓ %s\n    → %s", name, o.said)
	return true
}

// reason is err on one line, with what to do where that is known.
func reason(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if problem, ok := errors.AsType[*ctap.Problem](err); ok && problem.Hint != "" {
		text += "; hint: " + problem.Hint
	}
	return text
}

// end prints the verdict.
func (d *demo) end(ok bool) error {
	if d.JSON {
		encoder := json.NewEncoder(d.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(struct {
			TPM   string   `json:"tpm"`
			Steps []result `json:"steps"`
			OK    bool     `json:"ok"`
		}{d.tpmName(), d.results, ok})
	}
	if ok {
		d.line("main job: ok")
		return nil
	}
	last := d.results[len(d.results)-1]
	d.line("main job: FAILED at %s: %s", last.Name, last.Error)
	return nil
}

func (d *demo) tpmName() string {
	if d.Chip == nil {
		return "swtpm"
	}
	return d.ChipName
}

// line prints for a person.
func (d *demo) line(format string, args ...any) {
	if !d.JSON {
		fmt.Fprintf(d.Out, format+"\n", args...)
	}
}

// keep says where the site is that stays up until ctx ends.
func (d *demo) keep(ctx context.Context, s *site.Site) {
	fmt.Fprintf(d.Err, "The site is at %s until Ctrl-C.\n"+
		"A browser reaches LocalPasskey only once it is installed, as a device or through the extension; "+
		"until then the page talks to whatever else the browser knows.\n", s.Origin)
	<-ctx.Done()
}

func (d *demo) newDir() (string, error) { return os.MkdirTemp(d.dir, "m") }

func (d *demo) newSite(ctx context.Context) (*site.Site, error) { return d.openTo(ctx) }

func (d *demo) newMachine(ctx context.Context) (*machine, error) {
	dir, err := d.newDir()
	if err != nil {
		return nil, err
	}
	return boot(ctx, dir, d.Daemon, d.Chip)
}
