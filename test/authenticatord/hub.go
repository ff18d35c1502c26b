package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
)

// reportBytes is the length of a report (CTAP 2.3 §11.2.4).
const reportBytes = 64

// queuedReports is how many answers wait for a client that does not read; further
// ones are lost to it, as hidraw has it. hidraw keeps 64, which a busy machine
// outruns.
const queuedReports = 256

// hub is a device's node: a socket whose connections are the opens of the node.
type hub struct {
	path     string
	listener net.Listener
	reports  chan []byte
	gone     chan struct{}
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	clients []*client
}

type client struct {
	conn    net.Conn
	answers chan []byte
}

// listen makes the socket. One that a killed run has left is replaced.
func listen(ctx context.Context, path string) (*hub, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unixpacket", path)
	if err != nil {
		return nil, err
	}
	h := &hub{path: path, listener: listener, reports: make(chan []byte), gone: make(chan struct{})}
	h.running.Go(h.accept)
	return h, nil
}

// String names the socket.
func (h *hub) String() string { return "unix:" + h.path }

// ReadReport gives the next report of whichever client.
func (h *hub) ReadReport() ([]byte, error) {
	select {
	case r := <-h.reports:
		return r, nil
	case <-h.gone:
		return nil, net.ErrClosed
	}
}

// WriteReport gives every client a copy.
func (h *hub) WriteReport(report []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return net.ErrClosed
	}
	for _, c := range h.clients {
		select {
		case c.answers <- slices.Clone(report):
		default:
		}
	}
	return nil
}

// Close hangs up on all clients and removes the socket.
func (h *hub) Close() error {
	h.mu.Lock()
	h.closed = true
	close(h.gone)
	err := h.listener.Close()
	for _, c := range h.clients {
		_ = c.conn.Close() // it may have hung up already
	}
	h.mu.Unlock()
	h.running.Wait()
	return err
}

func (h *hub) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return // Close has closed it
		}
		c := &client{conn: conn, answers: make(chan []byte, queuedReports)}
		if !h.add(c) {
			return
		}
		h.running.Go(func() { h.read(c) })
		h.running.Go(func() { c.write() })
	}
}

func (h *hub) add(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = c.conn.Close() // nothing was exchanged
		return false
	}
	h.clients = append(h.clients, c)
	return true
}

// read passes a client's reports on until it hangs up. Packets of other lengths are
// no reports.
func (h *hub) read(c *client) {
	defer h.remove(c)
	buffer := make([]byte, reportBytes+1)
	for {
		n, err := c.conn.Read(buffer)
		if err != nil || n == 0 {
			return
		}
		if n != reportBytes {
			continue
		}
		select {
		case h.reports <- slices.Clone(buffer[:n]):
		case <-h.gone:
			return
		}
	}
}

func (h *hub) remove(c *client) {
	if h.forget(c) {
		select {
		case h.reports <- nil: // nobody has it open, as a kernel tells a device
		case <-h.gone:
		}
	}
}

// forget tells whether c was the last one.
func (h *hub) forget(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = slices.DeleteFunc(h.clients, func(other *client) bool { return other == c })
	close(c.answers)
	_ = c.conn.Close() // it has hung up, or Close has
	return len(h.clients) == 0
}

// write sends a client its copies.
func (c *client) write() {
	for report := range c.answers {
		if _, err := c.conn.Write(report); err != nil {
			_ = c.conn.Close() // read notices and removes the client
		}
	}
}
