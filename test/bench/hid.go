package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// How long the messages are, in bytes: the longest that CTAPHID carries (CTAP 2.3 §11.2.4),
// which is 129 reports; and the longest that getInfo promises of a HID device, 28 reports,
// because the kernel drops what does not fit into its queue of 31.
const (
	longest  = 7609
	promised = 57 + 27*59
)

// hidSection names the rows, which are round trips: each message goes there and back.
const hidSection = "CTAPHID, messages there and back, one after the other (median)"

// measureFraming times messages cut into reports and put together again, between
// goroutines.
func measureFraming(ctx context.Context, runs int, t *table) error {
	for _, size := range []int{promised, longest} {
		node := hidtest.NewHIDNode()
		took, err := pings(ctx, node, node.Open(), size, runs)
		if err := errors.Join(err, node.Close()); err != nil {
			return err
		}
		t.rows = append(t.rows, throughput("framing, in process", size, took)...)
	}
	return nil
}

// pings serves the device, has platform send it runs messages of that many bytes, and gives how long each
// took to come back.
func pings(ctx context.Context, device ctaphid.Conn, platform hidtest.HIDConn, size, runs int) (took []time.Duration, err error) {
	ctx, unplug := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- ctaphid.Serve(ctx, device, func() ctap.Authenticator { return nil }, slog.New(slog.DiscardHandler))
	}()
	defer func() {
		unplug()
		err = errors.Join(err, <-served)
	}()
	h, err := hidtest.NewHID(platform)
	if err != nil {
		return nil, err
	}
	message := bytes.Repeat([]byte{0xa5}, size)
	for range runs {
		began := time.Now()
		back, err := h.Ping(ctx, message)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if !bytes.Equal(back, message) {
			return nil, fmt.Errorf("a message of %d bytes came back as %d others", len(message), len(back))
		}
	}
	return took, nil
}

// throughput is two rows: messages and megabytes, counted once, in a second.
func throughput(where string, size int, took []time.Duration) []row {
	name := fmt.Sprintf("%s bytes, %s", figures.Grouped(size), where)
	rate := 1e6 / figures.Median(took)
	return []row{
		{Section: hidSection, Name: name, Value: rate, Unit: "messages/s"},
		{Section: hidSection, Name: name + ", each way", Value: rate * float64(size) / 1e6, Unit: "MB/s"},
	}
}
