package ctaphid

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Conn brings and takes reports of 64 bytes, without report ids. One of no bytes tells
// that nobody has the device open any more; those of other lengths are ignored. Reading
// and writing happen at the same time.
type Conn interface {
	ReadReport() ([]byte, error)
	WriteReport(report []byte) error
}

// reportsAhead is how many reports are taken off the kernel, which keeps few, while
// others are answered.
const reportsAhead = 64

// Ours: times. The specification wants to hear of a running request every 100 ms
// (§11.2.9.1.7), and leaves the patience with half a message to us.
const (
	keepaliveInterval = 80 * time.Millisecond
	messagePatience   = 3 * time.Second
)

// Serve answers the reports of conn until ctx ends, and then gives nil, or until
// conn fails, and then gives its error. open makes the authenticator of one
// channel. When Serve returns no request is running; a read of conn may still
// wait until the caller closes it.
func Serve(ctx context.Context, conn Conn, open func() ctap.Authenticator, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	d := &device{
		conn: conn, log: log,
		channels: channels{open: open, known: make(map[channelID]*channel)},
		turn:     make(chan struct{}, 1),
		patience: stoppedTimer(),
		alive:    stoppedTimer(),
	}
	defer d.requests.Wait()
	defer cancel()
	incoming := make(chan *report, reportsAhead)
	failed := make(chan error, 1)
	go func() { failed <- read(ctx, conn, incoming) }()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("reading reports: %w", err)
		case r := <-incoming:
			err = d.take(ctx, r)
		case <-d.patience.C:
			err = d.giveUp(ctx)
		case <-d.alive.C:
			err = d.keepAlive()
		case p := <-d.progress():
			d.running.status = p
			err = d.keepAlive()
		case response := <-d.response():
			err = d.answer(response)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil: // withdrawn, perhaps while the last report was on its way
			return nil
		default:
			return fmt.Errorf("writing a report: %w", err)
		}
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(0)
	t.Stop()
	return t
}

// read passes reports on, nil where nobody has the device open any more.
func read(ctx context.Context, conn Conn, incoming chan<- *report) error {
	for {
		b, err := conn.ReadReport()
		if err != nil {
			return err
		}
		var r *report
		switch len(b) {
		case 0:
		case reportBytes:
			r = (*report)(b)
		default:
			continue
		}
		select {
		case incoming <- r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// device is the state behind one Conn. Its methods run in Serve's goroutine; their
// errors are the Conn's.
type device struct {
	conn     Conn
	log      *slog.Logger
	channels channels

	partial  *assembly // a message some of whose reports are missing
	patience *time.Timer
	running  *request // a message that is being carried out
	alive    *time.Timer

	// turn is held by the one request that runs. A request that was given up by
	// INIT holds it until it has noticed.
	turn     chan struct{}
	requests sync.WaitGroup
}

// request is a message on its way through the authenticator.
type request struct {
	channel  channelID
	cancel   context.CancelFunc
	status   ctap.Progress
	progress chan ctap.Progress
	response chan message
}

// report leaves the newest status for the device to take. It never blocks.
func (r *request) report(p ctap.Progress) {
	select {
	case <-r.progress:
	default:
	}
	select {
	case r.progress <- p:
	default:
	}
}

// progress and response are never ready while nothing runs.
func (d *device) progress() <-chan ctap.Progress {
	if d.running == nil {
		return nil
	}
	return d.running.progress
}

func (d *device) response() <-chan message {
	if d.running == nil {
		return nil
	}
	return d.running.response
}

func (d *device) take(ctx context.Context, r *report) error {
	switch {
	case r == nil:
		d.desert()
		return nil
	case r.first():
		return d.takeFirst(ctx, r)
	default:
		return d.takeNext(ctx, r)
	}
}

// desert gives up what was under way when the last client went: nobody is left to hear
// of it, and a question would stay open for a program that has died.
func (d *device) desert() {
	if d.partial != nil {
		d.drop()
	}
	if d.running != nil {
		d.forget()
	}
}

// takeFirst begins a message, if this is the time for it (§11.2.5).
func (d *device) takeFirst(ctx context.Context, r *report) error {
	id, cmd := r.channel(), r.command()
	switch {
	case cmd == commandInit:
		return d.initialize(ctx, r)
	case !d.channels.has(id):
		return d.fail(ctx, id, ctap.InvalidChannel)
	case cmd == commandCancel:
		if d.running != nil && d.running.channel == id {
			d.running.cancel()
		}
		return nil // never answered: the request it cancels is
	case d.partial != nil && d.partial.message.channel == id:
		d.drop()
		return d.fail(ctx, id, ctap.InvalidSeq)
	case d.partial != nil, d.running != nil:
		return d.fail(ctx, id, ctap.ChannelBusy)
	case r.length() > maxMessageBytes:
		return d.fail(ctx, id, ctap.InvalidLength)
	}
	d.channels.touch(id)
	d.partial = begin(r)
	return d.proceed(ctx)
}

// takeNext adds to a message. Reports that belong to none are ignored.
func (d *device) takeNext(ctx context.Context, r *report) error {
	a := d.partial
	if a == nil || a.message.channel != r.channel() {
		return nil
	}
	if r.sequence() != a.next {
		d.drop()
		return d.fail(ctx, a.message.channel, ctap.InvalidSeq)
	}
	a.next++
	a.take(r.nextData())
	return d.proceed(ctx)
}

// proceed carries the message out once it is complete.
func (d *device) proceed(ctx context.Context) error {
	if !d.partial.complete() {
		d.patience.Reset(messagePatience)
		return nil
	}
	m := d.partial.message
	d.drop()
	switch m.command {
	case commandPing:
		return d.send(m)
	case commandWink:
		if len(m.data) != 0 {
			return d.fail(ctx, m.channel, ctap.InvalidLength)
		}
		return d.send(m)
	case commandCBOR:
		if len(m.data) == 0 {
			return d.fail(ctx, m.channel, ctap.InvalidLength)
		}
		a := d.channels.known[m.channel].authenticator
		d.start(ctx, m, func(ctx context.Context) message {
			return message{m.channel, commandCBOR, ctap.Serve(ctx, a, m.data)}
		})
		return nil
	case commandMessage:
		u2f := d.channels.messenger(m.channel)
		if u2f == nil {
			return d.fail(ctx, m.channel, ctap.InvalidCommand)
		}
		d.start(ctx, m, func(ctx context.Context) message { return speakU2F(ctx, u2f, m) })
		return nil
	default:
		return d.fail(ctx, m.channel, ctap.InvalidCommand)
	}
}

// speakU2F answers a raw U2F request. One that was not carried out is told as an error
// of CTAPHID: U2F has no word for it.
func speakU2F(ctx context.Context, u2f ctap.Messenger, m message) message {
	response, err := u2f.Message(ctx, m.data)
	if err != nil {
		return message{m.channel, commandError, []byte{byte(ctap.StatusOf(err))}}
	}
	return message{m.channel, commandMessage, response}
}

// drop forgets the message that is being put together.
func (d *device) drop() {
	d.partial = nil
	d.patience.Stop()
}

// giveUp ends the wait for the rest of a message.
func (d *device) giveUp(ctx context.Context) error {
	id := d.partial.message.channel
	d.drop()
	return d.fail(ctx, id, ctap.Timeout)
}

// start has carryOut answer m beside the reports that come meanwhile.
func (d *device) start(ctx context.Context, m message, carryOut func(context.Context) message) {
	ctx, cancel := context.WithCancel(ctx)
	r := &request{
		channel: m.channel, cancel: cancel, status: ctap.ProgressProcessing,
		progress: make(chan ctap.Progress, 1), response: make(chan message, 1),
	}
	ctx = ctap.WithProgress(ctx, r.report)
	d.requests.Go(func() {
		defer cancel()
		select {
		case d.turn <- struct{}{}:
			r.response <- carryOut(ctx)
			<-d.turn
		case <-ctx.Done():
			r.response <- cancelled(m)
		}
	})
	d.running = r
	d.alive.Reset(keepaliveInterval)
}

// cancelled answers a message that had no turn; U2F has no word for it.
func cancelled(m message) message {
	if m.command == commandMessage {
		m.command = commandError
	}
	return message{m.channel, m.command, []byte{byte(ctap.KeepaliveCancel)}}
}

// keepAlive tells the platform what the request waits for.
func (d *device) keepAlive() error {
	d.alive.Reset(keepaliveInterval)
	return d.send(message{
		channel: d.running.channel, command: commandKeepalive, data: []byte{byte(d.running.status)},
	})
}

func (d *device) answer(response message) error {
	d.forget()
	if len(response.data) > maxMessageBytes {
		response.data = []byte{byte(ctap.Other)}
	}
	return d.send(response)
}

// forget lets go of the request; what it still answers goes nowhere.
func (d *device) forget() {
	d.running.cancel()
	d.running = nil
	d.alive.Stop()
}

// fail answers with an error (§11.2.9.1.6).
func (d *device) fail(ctx context.Context, id channelID, status ctap.Status) error {
	d.log.DebugContext(ctx, "refused a report", "channel", uint32(id), "error", status.Error())
	return d.send(message{channel: id, command: commandError, data: []byte{byte(status)}})
}

func (d *device) send(m message) error {
	for _, r := range m.reports() {
		if err := d.conn.WriteReport(r[:]); err != nil {
			return err
		}
	}
	return nil
}
