package browser

import (
	"bytes"
	"context"
	"strings"
	"sync"
)

// Log is what a process prints, complete lines.
type Log struct {
	mu      sync.Mutex
	lines   []string
	partial []byte
	changed chan struct{} // closed at the next line
}

func newLog() *Log { return &Log{changed: make(chan struct{})} }

// Write takes what a process prints.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		l.lines = append(l.lines, string(line))
		l.partial = bytes.Clone(rest)
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// Mark is where the log ends now.
func (l *Log) Mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// Since gives the lines from mark on.
func (l *Log) Since(mark int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[mark:]...)
}

// Wait waits for a line from mark on that has text in it, and gives it.
func (l *Log) Wait(ctx context.Context, mark int, text string) (string, error) {
	for {
		l.mu.Lock()
		lines, changed := l.lines[mark:], l.changed
		l.mu.Unlock()
		for _, line := range lines {
			mark++
			if strings.Contains(line, text) {
				return line, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", &silence{text: text, cause: ctx.Err()}
		}
	}
}

// silence is what Wait says when the line does not come.
type silence struct {
	text  string
	cause error
}

// Error says what was waited for.
func (s *silence) Error() string { return "the log has no " + s.text + ": " + s.cause.Error() }

// Unwrap gives the context's error.
func (s *silence) Unwrap() error { return s.cause }

// Tail gives the last lines.
func (l *Log) Tail(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-lines):], "\n")
}
