package ctaphid_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
)

// scripted is one channel's authenticator in the transcripts:
//
//	0b selection  needs the user; done after 250 ms
//	07 reset      runs until it is cancelled, and notices that only 1 s later
//	50 X          answers X
//	51 N          answers N bytes of 0xaa
//	52            counts the calls on this channel
type scripted struct {
	ctap.Authenticator // refuses everything else

	calls byte
}

func newScripted() ctap.Authenticator {
	return &scripted{Authenticator: ctap.NewClient(refusing{})}
}

// refusing answers every request with INVALID_COMMAND.
type refusing struct{}

func (refusing) Exchange(context.Context, []byte) ([]byte, error) {
	return []byte{byte(ctap.InvalidCommand)}, nil
}

func (s *scripted) Selection(ctx context.Context) error {
	ctap.Report(ctx, ctap.ProgressUserNeeded)
	select {
	case <-time.After(250 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *scripted) Reset(ctx context.Context) error {
	<-ctx.Done()
	<-time.After(time.Second)
	return ctx.Err()
}

func (s *scripted) Vendor(_ context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	switch command {
	case 0x50:
		return params, nil
	case 0x51:
		var n int
		if err := cbor.Unmarshal(params, &n); err != nil {
			return nil, err
		}
		return []byte(strings.Repeat("\xaa", n)), nil
	case 0x52:
		s.calls++
		return cbor.Raw{s.calls}, nil
	default:
		return nil, ctap.InvalidCommand
	}
}

// pipe is a HID device without hardware.
type pipe struct {
	in, out chan []byte
	closed  chan struct{}
}

func newPipe() *pipe {
	return &pipe{in: make(chan []byte, 1024), out: make(chan []byte, 1024), closed: make(chan struct{})}
}

func (p *pipe) ReadReport() ([]byte, error)     { return p.receive(p.in) }
func (p *pipe) WriteReport(report []byte) error { return p.send(p.out, report) }

func (p *pipe) receive(from chan []byte) ([]byte, error) {
	select {
	case r := <-from:
		return r, nil
	case <-p.closed:
		return nil, io.EOF
	}
}

func (p *pipe) send(to chan []byte, report []byte) error {
	select {
	case to <- append([]byte(nil), report...):
		return nil
	case <-p.closed:
		return io.ErrClosedPipe
	}
}

// platform is the other end.
type platform struct{ *pipe }

func (p platform) ReadReport() ([]byte, error)     { return p.receive(p.out) }
func (p platform) WriteReport(report []byte) error { return p.send(p.in, report) }

// serve runs a device of scripted channels until the test, or bubble, ends.
func serve(t *testing.T) (p *pipe, stop func()) {
	t.Helper()
	p = newPipe()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- ctaphid.Serve(ctx, p, newScripted, slog.New(slog.DiscardHandler))
	}()
	return p, func() {
		t.Helper()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		close(p.closed)
	}
}

// TestTranscripts plays what a platform sends and reads against the device, in
// virtual time. A line is one of
//
//	> BYTES           the platform sends a report; zeros fill it up
//	< BYTES           the device sends one, at once; zeros fill it up
//	< +80ms BYTES     the device sends one after exactly that time
//	. 500ms           that time passes, and nothing comes
//	# …               a remark, as is what follows three spaces
//
// Bytes are hexadecimal; aa*57 is a byte 57 times. $a is a channel: whatever
// stands in its place when it is first read.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+f.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					device, stop := serve(t)
					defer stop()
					play(t, device, string(f.Data))
				})
			})
		}
	}
}

func play(t *testing.T, device *pipe, transcript string) {
	t.Helper()
	names := make(map[string]string)
	for i, line := range strings.Split(transcript, "\n") {
		if err := step(device, names, line); err != nil {
			t.Fatalf("line %d: %s\n%v", i+1, line, err)
		}
	}
	if err := silence(device, 5*time.Second); err != nil {
		t.Fatalf("after the end: %v", err)
	}
}

func step(device *pipe, names map[string]string, line string) error {
	line, _, _ = strings.Cut(line, "   ")
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] == "#" {
		return nil
	}
	switch kind, args := fields[0], fields[1:]; kind {
	case ">":
		want, err := bytesOf(args, names)
		if err != nil {
			return err
		}
		return device.send(device.in, want)
	case "<":
		return expect(device, names, args)
	case "x": // the last client closes the node
		return device.send(device.in, nil)
	case ".":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return silence(device, d)
	default:
		return errors.New("no such line")
	}
}

func expect(device *pipe, names map[string]string, args []string) error {
	var after time.Duration
	if rest, ok := strings.CutPrefix(args[0], "+"); ok {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		after, args = d, args[1:]
	}
	begin := time.Now()
	var got []byte
	select {
	case got = <-device.out:
	case <-time.After(time.Minute):
		return errors.New("nothing comes")
	}
	if waited := time.Since(begin); waited != after {
		return fmt.Errorf("it came after %v, not %v: % x", waited, after, got)
	}
	learn(names, args, got)
	want, err := bytesOf(args, names)
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf(" got % x\nwant % x", got, want)
	}
	return nil
}

// learn gives a name in args that is not known the bytes in its place.
func learn(names map[string]string, args []string, got []byte) {
	at := 0
	for _, arg := range args {
		if strings.HasPrefix(arg, "$") {
			if names[arg] == "" {
				names[arg] = hex.EncodeToString(got[at : at+4])
			}
			at += 4
			continue
		}
		if _, times, ok := strings.Cut(arg, "*"); ok {
			n, _ := strconv.Atoi(times) // bytesOf says what is wrong with it
			at += n
			continue
		}
		at += len(arg) / 2
	}
}

// bytesOf gives a whole report.
func bytesOf(args []string, names map[string]string) ([]byte, error) {
	var text strings.Builder
	for _, arg := range args {
		one, times, repeated := strings.Cut(arg, "*")
		switch {
		case strings.HasPrefix(arg, "$"):
			text.WriteString(names[arg])
		case repeated:
			n, err := strconv.Atoi(times)
			if err != nil {
				return nil, err
			}
			text.WriteString(strings.Repeat(one, n))
		default:
			text.WriteString(arg)
		}
	}
	b, err := hex.DecodeString(text.String())
	if err != nil || len(b) > 64 {
		return nil, fmt.Errorf("%d bytes, %w", len(b), err)
	}
	return append(b, make([]byte, 64-len(b))...), nil
}

func silence(device *pipe, d time.Duration) error {
	select {
	case got := <-device.out:
		return fmt.Errorf("unexpected: % x", got)
	case <-time.After(d):
		synctest.Wait()
		return nil
	}
}

func newHID(t *testing.T, p *pipe) *hidtest.HID {
	t.Helper()
	h, err := hidtest.NewHID(platform{p})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestLongMessages sends and gets the longest messages there are.
func TestLongMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t)
		defer stop()
		h := newHID(t, p)
		for _, size := range []int{1, 2, 57, 58, 57 + 59, 57 + 59 + 1, 7608, 7609} {
			request := make([]byte, size) // 50 ‖ one byte string that fills it
			request[0] = 0x50
			switch n := size - 1; {
			case n >= 3+256:
				copy(request[1:], []byte{0x59, byte((n - 3) >> 8), byte(n - 3)})
			case n >= 2+24:
				copy(request[1:], []byte{0x58, byte(n - 2)})
			case n >= 1:
				request[1] = 0x40 + byte(n-1)
			}
			got, err := h.Exchange(t.Context(), request)
			if err != nil || len(got) != size || got[0] != 0 {
				t.Errorf("%d bytes: %d come back, %v", size, len(got), err)
			}
		}
		for n, want := range map[uint]int{7608: 7609, 7609: 1} {
			got, err := ctap.NewClient(h).Vendor(t.Context(), 0x51, mustMarshal(t, n))
			if want == 1 {
				if !errors.Is(err, ctap.Other) {
					t.Errorf("a response that is too long gives %d bytes, %v", len(got), err)
				}
			} else if err != nil || len(got) != want-1 {
				t.Errorf("a response of %d bytes gives %d, %v", want, len(got), err)
			}
		}
	})
}

func TestClientCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t)
		defer stop()
		h := newHID(t, p)
		var seen []ctap.Progress
		h.OnProgress = func(p ctap.Progress) { seen = append(seen, p) }
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := ctap.NewClient(h).Selection(ctx); !errors.Is(err, ctap.KeepaliveCancel) {
			t.Errorf("a cancelled request answers %v", err)
		}
		if len(seen) != 2 || seen[0] != ctap.ProgressUserNeeded || seen[1] != ctap.ProgressUserNeeded {
			t.Errorf("keep-alives %v", seen)
		}
		if err := ctap.NewClient(h).Selection(t.Context()); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// TestChannelsAreBounded takes more channels than there are: the one unused for
// longest is gone, one in use is not.
func TestChannelsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t)
		defer stop()
		busy := message(t, p, "ffffffff 86 0008 00*8")[15:19]
		idle := message(t, p, "ffffffff 86 0008 00*8")[15:19]
		send(t, p, hex.EncodeToString(busy)+" 90 0001 07")
		for range 63 {
			seen := message(t, p, "ffffffff 86 0008 01*8")
			for seen[4] == 0xbb {
				seen = <-p.out
			}
		}
		if got := message(t, p, hex.EncodeToString(idle)+" 81 0000"); got[4] != 0xbf || got[7] != 0x0b {
			t.Errorf("the oldest idle channel answers % x", got[:8])
		}
		send(t, p, hex.EncodeToString(busy)+" 91 0000")
		for got := range p.out {
			if got[4] == 0x90 {
				if got[7] != 0x2d {
					t.Errorf("the busy channel answers % x", got[:8])
				}
				return
			}
		}
	})
}

func send(t *testing.T, p *pipe, report string) {
	t.Helper()
	b, err := bytesOf(strings.Fields(report), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.send(p.in, b); err != nil {
		t.Fatal(err)
	}
}

func message(t *testing.T, p *pipe, report string) []byte {
	t.Helper()
	send(t, p, report)
	return <-p.out
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t)
		h := newHID(t, p)
		done := make(chan error, 1)
		go func() { done <- ctap.NewClient(h).Reset(context.Background()) }()
		synctest.Wait()
		stop() // returns only after the request has, or synctest reports a deadlock
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("the client got %v", err)
		}
	})
}

func TestBrokenConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		close(p.closed)
		err := ctaphid.Serve(t.Context(), p, newScripted, slog.New(slog.DiscardHandler))
		if !errors.Is(err, io.EOF) {
			t.Errorf("Serve gives %v", err)
		}
	})
}

func mustMarshal(t *testing.T, v any) cbor.Raw {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzReports sends any reports: the device lives, answers in whole reports, and
// the next INIT works.
func FuzzReports(f *testing.F) {
	f.Add([]byte{0, 0x90, 0, 1, 0x0b, 0, 0x91, 0, 0})
	f.Add([]byte{0, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 0x90, 0, 1, 7, 0, 0x86, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x90, 0, 1, 7})
	f.Add([]byte{0, 0x81, 0x1d, 0xb9, 0, 0, 0, 1, 2, 0x81, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			p, stop := serve(t)
			defer stop()
			mine := message(t, p, "ffffffff 86 0008 00*8")[15:19]
			fuzzReports(t, p, mine, data)
			send(t, p, "ffffffff 86 0008 f0e1d2c3b4a59687")
			for {
				select {
				case got := <-p.out:
					if len(got) != 64 {
						t.Fatalf("a report of %d bytes", len(got))
					}
					if got[4] == 0x86 && hex.EncodeToString(got[7:15]) == "f0e1d2c3b4a59687" {
						return
					}
				case <-time.After(time.Minute):
					t.Fatal("INIT is not answered")
				}
			}
		})
	})
}

// fuzzReports makes reports of data: a byte chooses the channel, 8 more are the
// report's beginning.
func fuzzReports(t *testing.T, p *pipe, mine, data []byte) {
	t.Helper()
	for n := 0; len(data) > 0 && n < 300; n++ {
		report := make([]byte, 64)
		switch data[0] % 4 {
		case 0, 1:
			copy(report, mine)
		case 2:
			copy(report, "\xff\xff\xff\xff")
		default:
			copy(report, "\x00\x00\x00\x01")
		}
		data = data[1:]
		data = data[copy(report[4:16], data[:min(8, len(data))]):]
		if err := p.send(p.in, report); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for len(p.out) > 512 {
			<-p.out
		}
	}
}
