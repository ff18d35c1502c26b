package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/notify"
	"github.com/localpasskey/localpasskey/internal/notify/notifytest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// A use is told with site, account and program, as the audit trail has it, after the
// response; with nothing to click.
func TestUses(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Uses)
	check(t, r.register(site, "alice"))
	n := r.shows(d, 1)
	asked := "asked by " + program(t)
	if n.Summary != "Passkey created" || !strings.HasPrefix(n.Body, "example.com, account alice\n"+asked) {
		t.Errorf("registration: %+v", n)
	}
	if len(n.Actions) != 0 || n.App != "LocalPasskey" || urgency(n) != 1 || n.Replaces != 0 {
		t.Errorf("registration: %+v", n)
	}
	check(t, r.signIn())
	if n := r.shows(d, 2); n.Summary != "Signed in with a passkey" || !strings.HasPrefix(n.Body, "example.com, account alice\n"+asked) {
		t.Errorf("sign-in: %+v", n)
	}
	if logged := r.log.String(); strings.Contains(logged, site) || strings.Contains(logged, "alice") {
		t.Errorf("the log names a site or an account: %s", logged)
	}
}

// Few tries of the PIN are told wherever the wrong ones were typed, and on a level without
// uses too; a later one takes the place of the one before.
func TestFewTries(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Warnings)
	check(t, r.register(site, "alice"))
	for range 3 { // 5 left
		r.typeWrong()
	}
	r.again()
	r.typeWrong() // 4
	last := func(summary string) notifytest.Notification {
		t.Helper()
		r.until(summary, func() bool { all := d.Shown(); return len(all) > 0 && all[len(all)-1].Summary == summary })
		return d.Shown()[len(d.Shown())-1]
	}
	r.typeWrong()
	n := last("PIN of your passkeys: 3 tries left")
	if urgency(n) != 2 || !strings.Contains(n.Body, "typed for example.com, asked by "+program(t)) {
		t.Errorf("three left: %+v", n)
	}
	r.again()
	r.person.SetPINs("wrong")
	if err := r.signIn(); err == nil { // at our own prompt, as often as it asks
		t.Fatal("signed in with a wrong PIN")
	}
	last("The PIN of your passkeys is locked for good")
	all := d.Shown()
	for i, n := range all[1:] {
		if n.Replaces != all[i].ID {
			t.Errorf("%+v does not take the place of %+v", n, all[i])
		}
	}
	// Who was not there then is told at once.
	late := notifytest.Start(t)
	r.attend(late.Bus.Address, notify.Warnings)
	if n := r.shows(late, 1); n.Summary != "The PIN of your passkeys is locked for good" {
		t.Errorf("an agent that comes later: %+v", n)
	}
}

// clear is what a firmware's "clear TPM" does.
func (r *rig) clear() {
	r.Helper()
	conn, err := r.chip.Opener()(r.Context())
	check(r, err)
	defer conn.Close()
	_, err = tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(conn)
	check(r, err)
}

// The TPM is cleared under a running daemon: at the next use the person is told what is gone,
// by name, and how to begin again, once. Nothing is deleted.
func TestClearedWhileRunning(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Warnings)
	check(t, r.register(site, "alice"))
	check(t, r.register("other.example", "bob"))
	r.clear()
	for range 2 {
		if err := r.signIn(); err == nil {
			t.Fatal("signed in without a key")
		}
	}
	n := r.shows(d, 1)
	if n.Summary != "2 passkeys of this machine cannot be used any more" || urgency(n) != 2 {
		t.Errorf("%+v", n)
	}
	for _, want := range []string{"• example.com, account alice\n", "• other.example, account bob\n", "mv " + r.store, "`localpasskey setup`"} {
		if !strings.Contains(n.Body, want) && !strings.Contains(n.Body, strings.ReplaceAll(want, "'", "&apos;")) {
			t.Errorf("%q is not in %q", want, n.Body)
		}
	}
	status, err := ctap.Call[ctap.StatusResponse](t.Context(), r.client(), ctap.CommandStatus, nil)
	check(t, err)
	if p := status.Problem; p == nil || !strings.Contains(p.What, "cannot be used any more: 2") || !strings.Contains(p.Hint, "mv "+r.store) {
		t.Errorf("status: %+v", status.Problem)
	}
	gone := notice.Lost(t.Context(), r.client())
	if gone == nil || len(gone.Names()) != 2 || gone.Names()[1] != (notice.Name{RPID: "other.example", Account: "bob"}) {
		t.Errorf("who asks is told %+v", gone)
	}
	if logged := r.log.String(); strings.Contains(logged, site) || strings.Contains(logged, "alice") || !strings.Contains(logged, "passkeys=2") {
		t.Errorf("the log: %s", logged)
	}
	// What the hint says works, with the same daemon and agent.
	check(t, os.Rename(r.store, r.store+".gone"))
	_, err = r.client().Vendor(t.Context(), ctap.CommandSetup, nil)
	check(t, err)
	check(t, r.platform().SetPIN(t.Context(), secret.Of([]byte(pin))))
	check(t, r.register(site, "alice"))
	if gone := notice.Lost(t.Context(), r.client()); gone != nil {
		t.Errorf("after beginning again: %+v", gone)
	}
	if len(d.Shown()) != 1 {
		t.Errorf("told more than once: %+v", d.Shown())
	}
}

// The TPM was cleared before the daemon began, as a firmware does it: the number is told when
// the agent comes. The names are sealed with a key that is gone, which is G9 of SECURITY.md.
func TestClearedBefore(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, "", notify.None)
	check(t, r.register(site, "alice"))
	r.stop()
	before, err := os.ReadFile(r.store)
	check(t, err)
	r.clear()
	r.start()
	r.attend(d.Bus.Address, notify.Uses)
	n := r.shows(d, 1)
	if n.Summary != "1 passkey of this machine cannot be used any more" || !strings.Contains(n.Body, "sealed in the TPM too") || strings.Contains(n.Body, site) {
		t.Errorf("%+v", n)
	}
	time.Sleep(6 * time.Second) // longer than a notice takes to settle, and the pause after another
	if len(d.Shown()) != 1 {
		t.Errorf("told more than once: %+v", d.Shown())
	}
	r.stop()
	after, err := os.ReadFile(r.store)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the store was changed")
	}
}

// The PIN index alone was removed from the TPM: the names can still be read, at the daemon's start
// too.
func TestIndexRemoved(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, "", notify.None)
	check(t, r.register(site, "alice"))
	r.stop()
	conn, err := r.chip.Opener()(t.Context())
	check(t, err)
	const firstIndex, many = 0x01000000, 100
	response, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: firstIndex, PropertyCount: many}.Execute(conn)
	check(t, err)
	list, err := response.CapabilityData.Data.Handles()
	check(t, err)
	for _, handle := range list.Handle {
		public, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(conn)
		check(t, err)
		_, err = tpm2.NVUndefineSpace{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			NVIndex:    tpm2.NamedHandle{Handle: handle, Name: public.NVName},
		}.Execute(conn)
		check(t, err)
	}
	check(t, conn.Close())
	r.start()
	r.attend(d.Bus.Address, notify.Warnings)
	if n := r.shows(d, 1); !strings.Contains(n.Body, "• example.com, account alice\n") || !strings.Contains(n.Body, "PIN index was removed") {
		t.Errorf("%+v", n)
	}
}

// Whatever a site or an account calls itself, it adds no line, no markup and no link, and no
// direction of writing is turned.
func TestMaliciousNames(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Uses)
	const account = "<b>bob</b>\nasked by root\x1b[31m\u202e & <a href=\"https://evil.example\">x</a>"
	check(t, r.register("a\nb<i>.example\u2066", account+strings.Repeat("long", 50)))
	n := r.shows(d, 1)
	const want = "a b&lt;i&gt;.example, account &lt;b&gt;bob&lt;∕b&gt; asked by root[31m & &lt;a href=&quot;https:∕∕evil."
	if !strings.HasPrefix(n.Body, strings.ReplaceAll(want, " & ", " &amp; ")) {
		t.Errorf("got  %q\nwant %q…", n.Body, want)
	}
	if strings.Count(n.Body, "\n") != 1 || len([]rune(n.Body)) > 1000 || strings.ContainsAny(n.Summary+n.Body, "<>/\x1b\u202e\u2066") {
		t.Errorf("%q, %q", n.Summary, n.Body)
	}
	// A desktop that shows the body as it is gets it unescaped.
	d.SetCapabilities("body")
	check(t, r.register("c&d.example", "eve"))
	if n := r.shows(d, 2); !strings.HasPrefix(n.Body, "c&d.example, account eve\n") {
		t.Errorf("without markup: %q", n.Body)
	}
}

// Many uses at once are few notifications, and no use waits for them.
func TestFlood(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Uses)
	const many = 2 * notice.MaxNotices
	for i := range many {
		check(t, r.register(site, fmt.Sprint("account ", i)))
	}
	told := func() (n int) {
		for _, one := range d.Shown() {
			var here int
			if _, err := fmt.Sscanf(one.Summary, "Passkeys were used %d times", &here); err != nil {
				here = 1
			}
			n += here
		}
		return n
	}
	r.until("all are told", func() bool { return told() >= many })
	if n := told(); n != many {
		t.Errorf("%d uses were told, want %d", n, many)
	}
	all := d.Shown()
	if len(all) > many/4 {
		t.Errorf("%d uses were %d notifications", many, len(all))
	}
	for _, one := range all {
		if lines := strings.Count(one.Body, "\n"); lines > 6 {
			t.Errorf("%d lines: %q", lines, one.Body)
		}
	}
}

// Without a bus, without a desktop on it, and with one that answers nothing everything works,
// and the log has one line.
func TestNoDesktop(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("unix", filepath.Join(t.TempDir(), "bus")) // takes connections, and answers nothing
	check(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	hanging := notifytest.Start(t)
	hanging.Hang()
	for name, bus := range map[string]string{
		"no bus":               "",
		"no such bus":          "unix:path=/nonexistent",
		"a bus that hangs":     "unix:path=" + silent.Addr().String(),
		"nobody on the bus":    logindtest.Start(t).Address,
		"a desktop that hangs": hanging.Bus.Address,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, bus, notify.Uses)
			const line = "this session shows no notifications"
			check(t, r.register(site, "alice"))
			began := time.Now()
			r.until("it is in the log", func() bool { return strings.Contains(r.log.String(), line) })
			check(t, r.signIn())
			t.Logf("in the log after %v", time.Since(began))
			time.Sleep(5 * time.Second)
			if n := strings.Count(r.log.String(), line); n != 1 {
				t.Errorf("it is in the log %d times: %s", n, r.log)
			}
		})
	}
}

// A desktop that comes later, or comes back with its bus, shows what happens then.
func TestDesktopComesBack(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	r := newRig(t, d.Bus.Address, notify.Uses)
	d.Bus.StopBus()
	check(t, r.register(site, "alice"))
	r.until("it is in the log", func() bool { return strings.Contains(r.log.String(), "shows no notifications") })
	d.Bus.StartBus()
	d.Appear()
	check(t, r.signIn())
	if n := r.shows(d, 1); n.Summary != "Signed in with a passkey" {
		t.Errorf("%+v", n)
	}
}

// Nothing is told that was not asked for.
func TestLevels(t *testing.T) {
	t.Parallel()
	warned, none := notifytest.Start(t), notifytest.Start(t)
	r := newRig(t, warned.Bus.Address, notify.Warnings)
	r.attend(none.Bus.Address, notify.None)
	check(t, r.register(site, "alice"))
	r.typeWrong() // 7 left: nothing to warn of
	for range 2 {
		r.typeWrong()
	}
	r.again()
	r.typeWrong()
	r.typeWrong() // 3 left
	if n := r.shows(warned, 1); n.Summary != "PIN of your passkeys: 3 tries left" {
		t.Errorf("%+v", n)
	}
	if got := none.Shown(); len(got) != 0 {
		t.Errorf("none: %+v", got)
	}
}

// scripted is a daemon that answers one thing.
type scripted struct {
	ctap.Authenticator
	answer func(ctx context.Context) (cbor.Raw, error)
}

func (s scripted) Vendor(ctx context.Context, _ ctap.Command, _ cbor.Raw) (cbor.Raw, error) {
	return s.answer(ctx)
}

// tellerOf runs a teller with a scripted daemon, and gives what is closed when it ends.
func tellerOf(t *testing.T, bus string, log *log, answer func(ctx context.Context) (cbor.Raw, error)) (ended chan struct{}) {
	t.Helper()
	teller := &notify.Teller{Bus: bus, Level: notify.Uses, Log: slog.New(slog.NewTextHandler(log, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		teller.Run(ctx, func(context.Context) (ctap.Authenticator, io.Closer, error) {
			return scripted{answer: answer}, io.NopCloser(nil), nil
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return ended
}

// A daemon of before there were notices is asked once.
func TestOlderDaemon(t *testing.T) {
	t.Parallel()
	log, asked := &log{}, 0
	ended := tellerOf(t, "", log, func(context.Context) (cbor.Raw, error) { asked++; return nil, ctap.InvalidCommand })
	<-ended
	if asked != 1 || !strings.Contains(log.String(), "of a version that tells nothing") {
		t.Errorf("asked %d times, log %q", asked, log)
	}
}

// What a newer daemon says beyond what is known here is left out.
func TestNewerDaemon(t *testing.T) {
	t.Parallel()
	d := notifytest.Start(t)
	asked := 0
	tellerOf(t, d.Bus.Address, &log{}, func(ctx context.Context) (cbor.Raw, error) {
		if asked++; asked > 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return cbor.Marshal(map[int]any{1: 7, 2: []any{
			map[int]any{1: "weather", 99: "rain"},
			map[int]any{1: "used", 2: "used", 3: site, 99: "new"},
		}, 99: true})
	})
	for deadline := time.Now().Add(20 * time.Second); len(d.Shown()) == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if all := d.Shown(); len(all) != 1 || all[0].Body != site {
		t.Errorf("%+v", all)
	}
}
