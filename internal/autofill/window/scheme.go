package window

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
)

// Ours: where the page is. The scheme is registered nowhere: it has a meaning within the web view only.
const (
	SchemeName = "localpasskey"
	Origin     = SchemeName + "://app"
)

// Request is what a web view wants of our scheme.
type Request struct {
	Method, URL string
	Header      map[string]string
	Body        []byte
	// Lost: there is a body, but not as data, so that it cannot be read.
	Lost bool
}

// Task is WebKit's side of a request. Each method raises an exception when called out of turn, so
// only an exchange calls them.
type Task interface {
	// Respond tells status and headers, once, before all else.
	Respond(status int, header http.Header)
	Data(p []byte)
	// Finish and Fail end it.
	Finish()
	Fail()
	// Release lets go of it. It is the last call, also for a task that was stopped.
	Release()
}

// Scheme answers the tasks of a web view. Start and Stop are called on the main thread.
type Scheme struct {
	// Context is the parent of the requests' own.
	Context context.Context //nolint:containedctx // WebKit calls without one.
	Handler http.Handler
	// OnMain runs functions on the main thread, one after the other, in the order of the calls.
	OnMain func(func())
	Log    *slog.Logger

	live map[uintptr]*exchange // by the task, and touched on the main thread alone
}

// turn is how far an exchange has come.
type turn int

const (
	asked    turn = iota // nothing was told yet
	answered             // the response was told
	over                 // it has ended, or was stopped: nothing may be told any more
)

// exchange is one task being answered. All of it happens on the main thread, where WebKit stops
// tasks too: what comes in between is decided by turn.
type exchange struct {
	task   Task
	turn   turn
	cancel context.CancelFunc
}

// Start begins to answer a task.
func (s *Scheme) Start(id uintptr, r Request, t Task) {
	if s.live == nil {
		s.live = map[uintptr]*exchange{}
	}
	ctx, cancel := context.WithCancel(s.Context)
	e := &exchange{task: t, cancel: cancel}
	s.live[id] = e
	request, err := httpRequest(ctx, r)
	if err != nil {
		s.Log.WarnContext(ctx, "the web view asks for what cannot be", "cause", err)
		s.end(id, e, t.Fail)
		return
	}
	go s.serve(id, e, request) // its context ends with the task
}

// Stop ends a task that WebKit wants nothing of any more.
func (s *Scheme) Stop(id uintptr) {
	if e := s.live[id]; e != nil {
		s.end(id, e, func() {})
	}
}

// end tells the end by last, unless that was told, and forgets the task.
func (s *Scheme) end(id uintptr, e *exchange, last func()) {
	if e.turn == over {
		return
	}
	e.turn = over
	last()
	delete(s.live, id)
	e.cancel()
	e.task.Release()
}

// httpRequest makes one for the handler. The web view sends no URL of another origin here; whether
// this page may ask so is the handler's to decide.
func httpRequest(ctx context.Context, r Request) (*http.Request, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	if r.Lost {
		request.Body = http.NoBody
		request.ContentLength = -1 // unknown, as far as the handler goes: see serve
	}
	return request, nil
}

// serve has the handler answer, on a goroutine of its own: it may wait for the person.
func (s *Scheme) serve(id uintptr, e *exchange, r *http.Request) {
	w := &writer{scheme: s, exchange: e, header: http.Header{}}
	defer func() {
		if reason := recover(); reason != nil {
			s.Log.ErrorContext(r.Context(), "a request of the page could not be answered", "cause", reason)
			s.OnMain(func() { s.end(id, e, e.task.Fail) })
		}
	}()
	if r.ContentLength < 0 {
		http.Error(w, "WebKit has kept back what the page sent", http.StatusLengthRequired)
	} else {
		s.Handler.ServeHTTP(w, r)
	}
	w.WriteHeader(http.StatusOK) // where the handler has said nothing
	s.OnMain(func() { s.end(id, e, e.task.Finish) })
}

// writer is the handler's side of an exchange.
type writer struct {
	scheme   *Scheme
	exchange *exchange
	header   http.Header
	told     bool
}

var _ http.Flusher = (*writer)(nil)

func (w *writer) Header() http.Header { return w.header }

// WriteHeader tells the response; only the first counts.
func (w *writer) WriteHeader(status int) {
	if w.told {
		return
	}
	w.told = true
	header, e := w.header.Clone(), w.exchange
	w.scheme.OnMain(func() {
		if e.turn == asked {
			e.turn = answered
			e.task.Respond(status, header)
		}
	})
}

// Write tells some of the body. p is the caller's, and may be used again.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	data, e := slices.Clone(p), w.exchange
	w.scheme.OnMain(func() {
		if e.turn == answered && len(data) > 0 {
			e.task.Data(data)
		}
	})
	return len(p), nil
}

// Flush tells the response; data is never kept back.
func (w *writer) Flush() { w.WriteHeader(http.StatusOK) }
