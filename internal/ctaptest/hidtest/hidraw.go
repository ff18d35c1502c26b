package hidtest

import "os"

// Hidraw is one open of a device's node of the Linux kernel.
type Hidraw struct{ *os.File }

var _ HIDConn = Hidraw{}

// ReadReport gives the device's next report.
func (h Hidraw) ReadReport() ([]byte, error) {
	report := make([]byte, 64)
	n, err := h.Read(report)
	return report[:n], err
}

// WriteReport sends a report without a number, which the kernel wants as number 0.
func (h Hidraw) WriteReport(report []byte) error {
	_, err := h.Write(append([]byte{0}, report...))
	return err
}
