//go:build e2e && linux

package browser_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/test/browser"
	"github.com/localpasskey/localpasskey/test/vm"
)

// Ours: bounds of time, on a machine that is emulated and may be busy.
const (
	startLimit    = 8 * time.Minute
	ceremonyLimit = 90 * time.Second
)

// logTail is how much of a browser's log goes with a failure.
const logTail = 100

//go:embed ceremony.js
var ceremonyScript string

// visitor is somebody who has the site open in a browser, and a key plugged in.
type visitor struct {
	name    string // the browser's
	browser browser.Browser
	page    browser.Page
	display *browser.Display // nil when headless
	key     *key
	told    *told
	// accounts are the visitor's at the site, in the order in which they register.
	accounts [2]string
	counters map[string]uint32
}

// trial is one thing that a visitor does.
type trial struct {
	name string
	do   func(t *testing.T, v *visitor)
}

// try does them one after the other, each with a person who says yes to the newest.
func (v *visitor) try(t *testing.T, trials ...trial) {
	for _, trial := range trials {
		t.Run(v.name+" "+trial.name, func(t *testing.T) {
			for _, path := range []string{"/touch/auto", "/account/0", "/asked"} {
				v.key.tell(t, path)
			}
			mark := v.browser.Log().Mark()
			t.Cleanup(func() {
				if t.Failed() {
					v.leaveEvidence(t, mark)
				}
			})
			trial.do(t, v)
		})
	}
}

// query is what a ceremony is begun with, as the site takes it.
type query map[string]string

// outcome is how a ceremony ended, as the page sees it.
type outcome struct {
	Receipt        *site.Receipt
	Transports     []string
	Attachment     string
	Outputs        outputs
	Error, Message string
}

func (o outcome) String() string {
	if o.Receipt == nil {
		return o.Error + ": " + o.Message
	}
	return fmt.Sprintf("%+v", *o.Receipt)
}

// ceremony is one that is under way.
type ceremony struct {
	what    string
	log     *browser.Log
	mark    int // where the browser's log was when it began
	began   time.Time
	outcome outcome
	err     error
	ended   chan struct{}
}

func (v *visitor) register(t *testing.T, q query) outcome {
	t.Helper()
	return v.begin(t, "register", q).end(t)
}

func (v *visitor) signIn(t *testing.T, q query) outcome {
	t.Helper()
	return v.begin(t, "signIn", q).end(t)
}

// begin begins a ceremony, one of ceremony.js.
func (v *visitor) begin(t *testing.T, kind string, q query) *ceremony {
	t.Helper()
	return v.beginWith(t, kind, q, inputs{})
}

// beginWith begins one with inputs of extensions.
func (v *visitor) beginWith(t *testing.T, kind string, q query, in inputs) *ceremony {
	t.Helper()
	asked, err := json.Marshal(q)
	check(t, err)
	extensions, err := json.Marshal(in)
	check(t, err)
	c := &ceremony{
		what: fmt.Sprintf("%s %s(%s)", v.name, kind, asked), began: time.Now(),
		log: v.browser.Log(), mark: v.browser.Log().Mark(), ended: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(t.Context(), ceremonyLimit)
	go func() {
		defer close(c.ended)
		defer cancel()
		c.err = v.page.Evaluate(ctx, fmt.Sprintf("ceremony.%s(%s, %s)", kind, asked, extensions), &c.outcome)
	}()
	return c
}

// end waits for a ceremony's end.
func (c *ceremony) end(t *testing.T) outcome {
	t.Helper()
	<-c.ended
	if c.err != nil {
		t.Fatalf("%s: %v", c.what, c.err)
	}
	t.Logf("%s after %s: %s", c.what, time.Since(c.began).Round(10*time.Millisecond), c.outcome)
	return c.outcome
}

// await waits until the browser's log has a line with text in it.
func (c *ceremony) await(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ceremonyLimit)
	defer cancel()
	if _, err := c.log.Wait(ctx, c.mark, text); err != nil {
		t.Fatalf("%s: %v", c.what, err)
	}
}

// wantReceipt holds what the site has learnt against what it should; a counter only has to
// grow, for browsers may use a passkey more than once in a sign-in.
func (v *visitor) wantReceipt(t *testing.T, got outcome, want site.Receipt) {
	t.Helper()
	if got.Receipt == nil {
		t.Fatalf("it ended with %s", got)
	}
	last, known := v.counters[want.Account]
	if want.Counter = got.Receipt.Counter; known && want.Counter <= last || !known && want.Counter != 0 {
		t.Errorf("the counter went from %d to %d", last, want.Counter)
	}
	v.counters[want.Account] = want.Counter
	if *got.Receipt != want {
		t.Errorf("the site has learnt\n%+v, wanted\n%+v", *got.Receipt, want)
	}
	if got.Attachment != "cross-platform" {
		t.Errorf("the authenticator is %q", got.Attachment)
	}
}

func wantError(t *testing.T, got outcome, name string) {
	t.Helper()
	if got.Receipt != nil || got.Error != name {
		t.Errorf("it ended with %s, wanted %s", got, name)
	}
}

// wantAsked holds what the person was asked since the last time against what they should
// have been.
func (v *visitor) wantAsked(t *testing.T, want ...question) {
	t.Helper()
	got := v.key.asked(t)
	same := slices.EqualFunc(got, want, func(a, b question) bool {
		return a.Operation == b.Operation && a.RP == b.RP && slices.Equal(a.Accounts, b.Accounts)
	})
	if !same {
		t.Errorf("the person was asked\n%+v, wanted\n%+v", got, want)
	}
}

// abort has the page leave its ceremony, if there is one under way.
func (v *visitor) abort(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := v.page.Evaluate(ctx, "ceremony.abort()", nil); err != nil {
		t.Errorf("the page does not leave its ceremony: %v", err)
	}
}

// leaveEvidence shows where the browser was, leaves its whole log since mark with what the
// guest keeps, and nothing in the way of the next trial.
func (v *visitor) leaveEvidence(t *testing.T, mark int) {
	t.Helper()
	v.picture(t, t.Name())
	v.abort(t)
	lines := v.browser.Log().Since(mark)
	file := filepath.Join(vm.Kept(), strings.Map(fileRune, t.Name())+".log")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Error(err)
	}
	t.Logf("the browser's log, of which %s has all, ends in:\n%s",
		filepath.Base(file), strings.Join(lines[max(0, len(lines)-logTail):], "\n"))
}

// picture leaves a PNG of what is shown, the whole display or else the page, with what the
// guest keeps.
func (v *visitor) picture(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	var shot []byte
	var err error
	if v.display != nil {
		shot, err = v.display.Screenshot()
	} else {
		shot, err = v.page.Screenshot(ctx)
	}
	if err != nil {
		t.Errorf("no picture of %s: %v", name, err)
		return
	}
	file := filepath.Join(vm.Kept(), strings.Map(fileRune, name)+".png")
	check(t, os.WriteFile(file, shot, 0o600))
	t.Logf("a picture is in %s", filepath.Base(file))
}

// fileRune makes a file's name of a test's.
func fileRune(r rune) rune {
	if strings.ContainsRune(`/\: ,`, r) {
		return '-'
	}
	return r
}
