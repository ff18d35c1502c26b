package window_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/autofill/window"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// webKit is the web view as a script has it: what is told out of turn would have raised an exception.
type webKit struct {
	scheme window.Scheme
	queue  chan func()
	wrong  []string
}

// task is a WKURLSchemeTask that keeps to WebKit's rules.
type task struct {
	webKit                             *webKit
	status                             int
	header                             http.Header
	body                               strings.Builder
	finished, failed, stopped, release bool
}

func (t *task) rule(kept bool, what string) {
	if !kept || t.release || t.stopped {
		t.webKit.wrong = append(t.webKit.wrong, fmt.Sprintf("%s: %+v", what, *t))
	}
}

func (t *task) open() bool { return !t.finished && !t.failed }

func (t *task) Respond(status int, h http.Header) {
	t.rule(t.open() && t.status == 0, "a response out of turn")
	t.status, t.header = status, h
}

func (t *task) Data(p []byte) {
	t.rule(t.open() && t.status != 0, "data out of turn")
	t.body.Write(p)
}

func (t *task) Finish() {
	t.rule(t.open() && t.status != 0, "an end out of turn")
	t.finished = true
}

func (t *task) Fail() {
	t.rule(t.open(), "a failure out of turn")
	t.failed = true
}

func (t *task) Release() {
	if t.release {
		t.webKit.wrong = append(t.webKit.wrong, "released twice")
	}
	t.release = true
}

// newWebKit makes one whose main thread is the caller of turn.
func newWebKit(ctx context.Context, handler http.HandlerFunc) *webKit {
	k := &webKit{queue: make(chan func(), 10_000)}
	k.scheme = window.Scheme{Context: ctx, Handler: handler, OnMain: func(do func()) { k.queue <- do }, Log: slog.New(slog.DiscardHandler)}
	return k
}

// turn does what waits for the main thread, and what that leads to.
func (k *webKit) turn() {
	synctest.Wait()
	for len(k.queue) > 0 {
		(<-k.queue)()
		synctest.Wait()
	}
}

func (k *webKit) start(id uintptr, r window.Request) *task {
	t := &task{webKit: k}
	k.scheme.Start(id, r, t)
	return t
}

func (k *webKit) stop(id uintptr, t *task) {
	k.scheme.Stop(id)
	t.stopped = true
}

func ask(path string) window.Request {
	return window.Request{Method: http.MethodGet, URL: window.Origin + path}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got *http.Request
		var body string
		k := newWebKit(t.Context(), func(w http.ResponseWriter, r *http.Request) {
			content, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got, body = r, string(content)
			switch r.URL.Path {
			case "/silent":
			case "/panic":
				panic("no")
			case "/late":
				_, _ = io.WriteString(w, "half")
				panic("no")
			default:
				w.Header().Set("X-A", "b")
				w.WriteHeader(http.StatusTeapot)
				w.WriteHeader(http.StatusOK)
				w.Header().Set("X-A", "too late")
				piece := []byte("one ")
				_, _ = w.Write(piece)
				copy(piece, "two ") // a writer keeps nothing of what it was given
				_, _ = w.Write(piece)
			}
		})
		r := window.Request{
			Method: http.MethodPost, URL: window.Origin + "/api/list?x=1", Body: []byte(`{"a":1}`),
			Header: map[string]string{"Origin": window.Origin},
		}
		one := k.start(1, r)
		k.turn()
		if got.Method != http.MethodPost || got.Host != "app" || got.URL.Path != "/api/list" || got.URL.RawQuery != "x=1" || body != `{"a":1}` ||
			got.Header.Get("Origin") != window.Origin {
			t.Errorf("asked %s %s %v with %q", got.Method, got.URL, got.Header, body)
		}
		if one.status != http.StatusTeapot || one.header.Get("X-A") != "b" || one.body.String() != "one two " || !one.finished || !one.release {
			t.Errorf("answered %+v", one)
		}
		if got.Context().Err() == nil {
			t.Error("the request's context outlives the task")
		}
		silent, panics, late := k.start(2, ask("/silent")), k.start(3, ask("/panic")), k.start(4, ask("/late"))
		k.turn()
		if silent.status != http.StatusOK || !silent.finished || !panics.failed || panics.status != 0 || !late.failed || late.body.String() != "half" {
			t.Errorf("answered %+v, %+v, %+v", silent, panics, late)
		}
		r.Body, r.Lost = nil, true
		lost := k.start(5, r)
		strange := k.start(6, window.Request{Method: "B AD", URL: window.Origin + "/"})
		stranger := k.start(7, window.Request{Method: "GET", URL: "%"})
		k.turn()
		if lost.status != http.StatusLengthRequired || !lost.finished || !strange.failed || !stranger.failed || !stranger.release {
			t.Errorf("answered %+v, %+v, %+v", lost, strange, stranger)
		}
		for _, w := range k.wrong {
			t.Error(w)
		}
	})
}

// TestStopped: once WebKit has stopped a task nothing is told it, and whoever works on it learns of that.
func TestStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended []error
		k := newWebKit(t.Context(), func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			ended = append(ended, r.Context().Err())
			_, _ = io.WriteString(w, "too late")
		})
		early := k.start(1, ask("/"))
		k.stop(1, early) // before anything was told
		k.turn()
		waiting := k.start(2, ask("/"))
		k.turn()
		if waiting.status != http.StatusOK || waiting.finished {
			t.Fatalf("what is told at once is not: %+v", waiting)
		}
		k.stop(2, waiting)
		k.turn()
		k.stop(2, waiting)                // twice, or one that nobody knows
		again := k.start(2, ask("/more")) // an address is used again
		k.turn()
		if len(ended) != 2 || !errors.Is(ended[0], context.Canceled) || early.status != 0 || waiting.body.Len() != 0 || !early.release || !waiting.release || again.release {
			t.Errorf("ended %v, told %+v, %+v, %+v", ended, early, waiting, again)
		}
		k.stop(2, again)
		k.turn()
		for _, w := range k.wrong {
			t.Error(w)
		}
	})
}

// TestInAnyOrder: whatever the page starts and stops while whatever is answered, WebKit's rules are
// kept, and each task is let go of once.
func TestInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			k := newWebKit(t.Context(), func(w http.ResponseWriter, r *http.Request) {
				for range len(r.URL.Path) % 5 {
					_, _ = io.WriteString(w, "x")
				}
				if strings.HasSuffix(r.URL.Path, "w") {
					<-r.Context().Done()
				}
				if strings.HasSuffix(r.URL.Path, "p") {
					panic("no")
				}
			})
			var all []*task
			live := map[uintptr]*task{}
			for range 60 {
				id := uintptr(random.IntN(6))
				switch random.IntN(4) {
				case 0, 1:
					if live[id] == nil || live[id].release {
						live[id] = k.start(id, ask("/"+strings.Repeat("x", random.IntN(9))+[]string{"w", "p", ""}[random.IntN(3)]))
						all = append(all, live[id])
					}
				case 2:
					if live[id] != nil && live[id].open() {
						k.stop(id, live[id])
					}
				case 3:
					synctest.Wait()
					for range random.IntN(4) {
						select {
						case do := <-k.queue:
							do()
						default:
						}
					}
				}
			}
			for id, one := range live {
				if one.open() && !one.stopped {
					k.stop(id, one)
				}
			}
			k.turn()
			for i, one := range all {
				if !one.release {
					t.Errorf("seed %d: task %d is kept for ever: %+v", seed, i, one)
				}
			}
			for _, w := range k.wrong {
				t.Errorf("seed %d: %s", seed, w)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address        string
		fresh, clicked bool
		want           window.Decision
	}{
		{window.Origin + "/", false, false, window.Show},
		{window.Origin + "/page.js", false, true, window.Show},
		{window.Origin + ".example/", false, true, window.Refuse},
		{"localpasskey://other/", false, true, window.Refuse},
		{"https://example.com", true, false, window.Browser},
		{"https://example.com/a?b#c", false, true, window.Browser},
		{"https://example.com", false, false, window.Refuse}, // a page that goes there by itself
		{"https://user@example.com", true, true, window.Refuse},
		{"https:example.com", true, true, window.Refuse},
		{"https://", true, true, window.Refuse},
		{"http://example.com", true, true, window.Refuse},
		{"file:///etc/passwd", true, true, window.Refuse},
		{"javascript:alert(1)", true, true, window.Refuse},
		{"data:text/html,x", true, true, window.Refuse},
		{"about:blank", false, false, window.Refuse},
		{"x-apple.systempreferences:", true, true, window.Refuse},
		{"", true, true, window.Refuse},
		{"%", true, true, window.Refuse},
	} {
		if got := window.Decide(c.address, c.fresh, c.clicked); got != c.want {
			t.Errorf("%q, fresh %t, clicked %t: %d, want %d", c.address, c.fresh, c.clicked, got, c.want)
		}
	}
}

// TestScheme: WebKit raises an exception for a name that is none, or one of its own.
func TestScheme(t *testing.T) {
	t.Parallel()
	if strings.Trim(window.SchemeName, "abcdefghijklmnopqrstuvwxyz") != "" || window.SchemeName == "https" || !strings.HasPrefix(window.Origin, window.SchemeName+"://") {
		t.Errorf("%q, %q", window.SchemeName, window.Origin)
	}
}

// TestMenu: what one expects of an app is there, once; and what is sent is declared, so that the
// SDK's facts hold it.
func TestMenu(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	var walk func(items []window.Item)
	walk = func(items []window.Item) {
		for _, i := range items {
			kinds := 0
			for _, is := range []bool{i.Action != "", i.Command != window.NoCommand, len(i.Items) > 0} {
				if is {
					kinds++
				}
			}
			if i.Title == "" && kinds != 0 || i.Title != "" && kinds != 1 {
				t.Errorf("%q does %d things", i.Title, kinds)
			}
			if _, declared := macos.Actions()[i.Action]; i.Action != "" && !declared {
				t.Errorf("%q sends %s, which nothing holds", i.Title, i.Action)
			}
			if i.Key != "" {
				key := fmt.Sprintf("%#x %s", i.Modifiers(), i.Key)
				if other, twice := keys[key]; twice {
					t.Errorf("%q and %q have one key", i.Title, other)
				}
				keys[key] = i.Title
			}
			walk(i.Items)
		}
	}
	walk(window.Menu())
	for key, title := range map[string]string{"q": "Quit LocalPasskey", "w": "Close", "c": "Copy", "v": "Paste", "a": "Select All", "f": "Search", ",": "AutoFill Settings…"} {
		if got := keys[fmt.Sprintf("%#x %s", macos.NSEventModifierFlagCommand, key)]; got != title {
			t.Errorf("⌘%s is %q, want %q", key, got, title)
		}
	}
}

// TestScripts: what the menu does in the page is about what the page has.
func TestScripts(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../manager/page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for command, parts := range map[window.Command][]string{window.Find: {`id="filter"`}, window.Delete: {`id="actions"`, `data-act="delete"`}} {
		for _, part := range parts {
			if !strings.Contains(string(page), part) {
				t.Errorf("the page has no %s", part)
			}
		}
		if command.Script() == "" {
			t.Errorf("command %d does nothing", command)
		}
	}
	if window.Settings.Script() != "" || window.NoCommand.Script() != "" || window.Reload.Script() == "" {
		t.Error("a command is taken for another")
	}
}
