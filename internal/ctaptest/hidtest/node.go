package hidtest

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// queuedReports is how many reports wait for a reader that does not read.
const queuedReports = 4096

// HIDNode is a HID device without a kernel, and all who have it open, as hidraw does it:
// what the device sends is copied to every reader. It is the device's end of itself.
type HIDNode struct {
	toDevice chan []byte
	gone     chan struct{}
	close    func()

	mu      sync.Mutex
	readers []*nodeReader
}

type nodeReader struct {
	node    *HIDNode
	reports chan []byte
}

// NewHIDNode makes a device that nobody has open.
func NewHIDNode() *HIDNode {
	n := &HIDNode{toDevice: make(chan []byte), gone: make(chan struct{})}
	n.close = sync.OnceFunc(func() { close(n.gone) })
	return n
}

// ReadReport gives the next report of whichever reader.
func (n *HIDNode) ReadReport() ([]byte, error) {
	select {
	case report := <-n.toDevice:
		return report, nil
	case <-n.gone:
		return nil, io.EOF
	}
}

// WriteReport gives every reader a copy.
func (n *HIDNode) WriteReport(report []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.readers {
		select {
		case r.reports <- slices.Clone(report):
		default:
			return errors.New("a reader does not read")
		}
	}
	return nil
}

// Close takes the device away.
func (n *HIDNode) Close() error {
	n.close()
	return nil
}

// Open opens the device for one more program.
func (n *HIDNode) Open() HIDConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := &nodeReader{node: n, reports: make(chan []byte, queuedReports)}
	n.readers = append(n.readers, r)
	return r
}

// ReadReport gives the device's next report.
func (r *nodeReader) ReadReport() ([]byte, error) {
	select {
	case report := <-r.reports:
		return report, nil
	case <-r.node.gone:
		return nil, io.EOF
	}
}

// WriteReport writes to the device.
func (r *nodeReader) WriteReport(report []byte) error {
	select {
	case r.node.toDevice <- report:
		return nil
	case <-r.node.gone:
		return io.EOF
	}
}
