package socket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// channel is a scripted authenticator. Selection waits for its context; Vendor
// gives back what it got; Reset waits to be let go.
type channel struct {
	ctap.Authenticator // nil: what the tests do not call

	caller  ctap.Caller
	began   chan struct{}
	ended   chan error
	letGo   chan struct{}
	reports []ctap.Progress
}

func (c *channel) GetInfo(ctx context.Context) (*ctap.GetInfoResponse, error) {
	caller, ok := ctap.CallerFrom(ctx)
	if !ok || caller.PID != c.caller.PID {
		return nil, ctap.NotAllowed
	}
	return &ctap.GetInfoResponse{Versions: []string{"FIDO_2_3"}}, nil
}

func (c *channel) Selection(ctx context.Context) error {
	for _, p := range c.reports {
		ctap.Report(ctx, p)
	}
	c.began <- struct{}{}
	<-ctx.Done()
	c.ended <- ctx.Err()
	return ctx.Err()
}

func (c *channel) Reset(context.Context) error {
	c.began <- struct{}{}
	<-c.letGo
	return nil
}

func (c *channel) Vendor(_ context.Context, _ ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	return params, nil
}

// daemon serves scripted channels at a path.
type daemon struct {
	path    string
	callers chan ctap.Caller
	other   atomic.Int64 // which account the next connections count against
	refusal error        // of agents
	agents  chan agent
	left    chan struct{}
	stop    context.CancelFunc
	*channel
}

// agent is one that was taken up.
type agent struct {
	ctap.Exchanger

	caller ctap.Caller
}

func (d *daemon) Account(uid int) int { return uid + int(d.other.Load()) }

func (d *daemon) Channel(c ctap.Caller) ctap.Authenticator {
	d.callers <- c
	mine := *d.channel
	mine.caller = c
	return &mine
}

func (d *daemon) Attend(c ctap.Caller) (func(context.Context, ctap.Exchanger), error) {
	if d.refusal != nil {
		return nil, d.refusal
	}
	return func(ctx context.Context, questions ctap.Exchanger) {
		d.agents <- agent{questions, c}
		<-ctx.Done()
		d.left <- struct{}{}
	}, nil
}

func start(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{
		path:    filepath.Join(t.TempDir(), "run", "socket"),
		callers: make(chan ctap.Caller, 100),
		agents:  make(chan agent, 1),
		left:    make(chan struct{}, 1),
		channel: &channel{
			began: make(chan struct{}, 10), ended: make(chan error, 10), letGo: make(chan struct{}),
			reports: []ctap.Progress{ctap.ProgressUserNeeded},
		},
	}
	l, err := socket.Listen(d.path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	served := make(chan error, 1)
	go func() {
		served <- socket.Serve(ctx, l, d, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Lstat(d.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket stays behind: %v", err)
		}
	})
	return d
}

func dial(t *testing.T, d *daemon) *socket.Conn {
	t.Helper()
	c, err := socket.Dial(t.Context(), d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func raw(t *testing.T, d *daemon) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func frame(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body))), body...)
}

func getInfo(t *testing.T, c *socket.Conn) {
	t.Helper()
	info, err := ctap.NewClient(c).GetInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(info.Versions, []string{"FIDO_2_3"}) {
		t.Errorf("versions %v", info.Versions)
	}
}

func TestExchange(t *testing.T) {
	d := start(t)
	c := dial(t, d)
	for range 3 {
		getInfo(t, c)
	}
	caller := <-d.callers
	if caller.UID != os.Getuid() || caller.PID != os.Getpid() || caller.Door != ctap.DoorSocket {
		t.Errorf("caller is %+v", caller)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if len(caller.Programs) < 2 || caller.Programs[0] != strings.TrimSpace(string(comm)) {
		t.Errorf("programs are %q, the first should be %q", caller.Programs, comm)
	}
}

func TestTwoClientsDoNotWaitForEachOther(t *testing.T) {
	d := start(t)
	slow, quick := dial(t, d), dial(t, d)
	done := make(chan error, 1)
	go func() { done <- ctap.NewClient(slow).Reset(context.Background()) }()
	<-d.began
	getInfo(t, quick)
	close(d.letGo)
	if err := <-done; err != nil {
		t.Errorf("the slow one: %v", err)
	}
}

func TestCancel(t *testing.T) {
	d := start(t)
	c := dial(t, d)
	var seen []ctap.Progress
	c.OnProgress = func(p ctap.Progress) { seen = append(seen, p) }
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-d.began
		cancel()
	}()
	if err := ctap.NewClient(c).Selection(ctx); !errors.Is(err, ctap.KeepaliveCancel) {
		t.Errorf("a cancelled request answers %v", err)
	}
	if err := <-d.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
	if !slices.Equal(seen, []ctap.Progress{ctap.ProgressUserNeeded}) {
		t.Errorf("progress %v", seen)
	}
	getInfo(t, c) // the connection goes on
}

func TestCancelBeforeItsTurn(t *testing.T) {
	d := start(t)
	c := raw(t, d)
	// Request and cancel in one write: the cancel is read before the request runs.
	write(t, c, slices.Concat(frame(1, []byte{byte(ctap.CommandSelection)}), frame(3, nil)))
	for {
		kind, body := readFrame(t, c)
		if kind == 4 {
			continue
		}
		if kind != 2 || !slices.Equal(body, []byte{byte(ctap.KeepaliveCancel)}) {
			t.Errorf("answer is kind %d, % x", kind, body)
		}
		return
	}
}

func TestDeadContextSendsNothing(t *testing.T) {
	d := start(t)
	c := dial(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Exchange(ctx, []byte{4}); !errors.Is(err, context.Canceled) {
		t.Errorf("gave %v", err)
	}
	getInfo(t, c)
}

func TestClosedConnectionCancels(t *testing.T) {
	d := start(t)
	c := raw(t, d)
	write(t, c, frame(1, []byte{byte(ctap.CommandSelection)}))
	<-d.began
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-d.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
}

func TestShutdownCancels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := socket.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ch := &channel{began: make(chan struct{}, 1), ended: make(chan error, 1)}
	d := &daemon{channel: ch, callers: make(chan ctap.Caller, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- socket.Serve(ctx, l, d, slog.New(slog.DiscardHandler))
	}()
	c, err := socket.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() { asked <- ctap.NewClient(c).Selection(context.Background()) }()
	<-ch.began
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if len(ch.ended) != 1 {
		t.Error("Serve returned before the request did")
	}
	if err := <-asked; err == nil {
		t.Error("the client got an answer out of nowhere")
	}
	var problem *ctap.Problem
	if _, err := c.Exchange(t.Context(), []byte{4}); !errors.As(err, &problem) || problem.Hint == "" {
		t.Errorf("the next request gives %v", err)
	}
}

// TestBadFrames sends what no client sends: its connection ends, and the daemon
// goes on.
func TestBadFrames(t *testing.T) {
	d := start(t)
	request := frame(1, []byte{byte(ctap.CommandSelection)})
	for name, bytes := range map[string][]byte{
		"garbage":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"kind 0":              frame(0, []byte{4}),
		"a response":          frame(2, []byte{0}),
		"progress":            frame(4, []byte{1}),
		"huge":                {1, 0xff, 0xff, 0xff, 0xff},
		"one byte too long":   {1, 0, 1, 0, 1},
		"a cancel that talks": frame(3, []byte{1}),
		"an agent that talks": frame(5, []byte{1}),
		"an agent too late":   slices.Concat(frame(3, nil), frame(5, nil)),
		"three requests":      slices.Concat(request, request, request),
	} {
		t.Run(name, func(t *testing.T) {
			c := raw(t, d)
			write(t, c, bytes)
			if rest, err := io.ReadAll(c); err != nil && !isReset(err) {
				t.Errorf("the daemon keeps the connection: % x, %v", rest, err)
			}
			getInfo(t, dial(t, d))
		})
	}
	// Cut off inside a frame: nothing happens, to anyone.
	c := raw(t, d)
	write(t, c, []byte{1, 0, 0})
	_ = c.Close()
	getInfo(t, dial(t, d))
}

func TestSizes(t *testing.T) {
	d := start(t)
	c := dial(t, d)
	largest := make([]byte, 64<<10)
	largest[0] = 0x50
	copy(largest[1:], []byte{0x59, 0xff, 0xfc}) // one byte string of 65,532 bytes
	got, err := c.Exchange(t.Context(), largest)
	if err != nil || len(got) != len(largest) || got[0] != 0 {
		t.Errorf("the largest request: %d bytes, %v", len(got), err)
	}
	if _, err := c.Exchange(t.Context(), append(largest, 0)); !errors.Is(err, ctap.RequestTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	getInfo(t, c)
	if got, err := c.Exchange(t.Context(), nil); err != nil || !slices.Equal(got, []byte{byte(ctap.InvalidLength)}) {
		t.Errorf("an empty request: % x, %v", got, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	d := start(t)
	const most = 64
	conns := make([]*socket.Conn, most)
	for i := range conns {
		conns[i] = dial(t, d)
		getInfo(t, conns[i])
	}
	if _, err := ctap.NewClient(dial(t, d)).GetInfo(t.Context()); err == nil {
		t.Error("one more than the most got in")
	}
	getInfo(t, conns[0])
	if err := conns[1].Close(); err != nil {
		t.Fatal(err)
	}
	for { // its place comes free when the daemon has noticed
		if _, err := ctap.NewClient(dial(t, d)).GetInfo(t.Context()); err == nil {
			break
		}
	}
}

func TestDialProblems(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"nothing there": filepath.Join(dir, "none"), "nobody behind it": stale(t, dir), "no socket": file,
		"too long": filepath.Join(dir, strings.Repeat("x", 120)),
	} {
		_, err := socket.Dial(t.Context(), path)
		var problem *ctap.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.What, path) || problem.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// stale leaves a socket behind that nobody answers at, as a killed daemon does.
func stale(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListen(t *testing.T) {
	t.Run("stale", func(t *testing.T) {
		path := stale(t, t.TempDir())
		l, err := socket.Listen(path, 0o620)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o620 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("answered", func(t *testing.T) {
		d := start(t)
		var problem *ctap.Problem
		if _, err := socket.Listen(d.path, 0o600); !errors.As(err, &problem) || !strings.Contains(problem.What, "already") {
			t.Errorf("a second daemon: %v", err)
		}
		getInfo(t, dial(t, d))
		dir, err := os.Stat(filepath.Dir(d.path))
		if err != nil || dir.Mode().Perm() != 0o700 {
			t.Errorf("directory mode %v, %v", dir.Mode(), err)
		}
	})
	t.Run("not a socket", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "precious")
		if err := os.WriteFile(path, []byte("keep me"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := socket.Listen(path, 0o600); err == nil {
			t.Error("listens in place of a file")
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "keep me" {
			t.Errorf("the file now holds %q, %v", got, err)
		}
	})
}

func write(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func readFrame(t *testing.T, c net.Conn) (kind byte, body []byte) {
	t.Helper()
	var header [5]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(header[1:]))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return header[0], body
}

func isReset(err error) bool { return strings.Contains(err.Error(), "connection reset") }
