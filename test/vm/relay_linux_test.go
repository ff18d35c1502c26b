package vm

import (
	"slices"
	"testing"
)

// The events are those of a test whose subtests pass, fail below, skip, fail in one
// boot and pass in the next, and panic.
func TestParse(t *testing.T) {
	t.Parallel()
	events := `{"Action":"start"}
{"Action":"run","Test":"TestX"}
{"Action":"output","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Test":"TestX","Output":"    x_test.go:1: booted\n"}
{"Action":"run","Test":"TestX/list"}
{"Action":"output","Test":"TestX/list","Output":"=== RUN   TestX/list\n"}
{"Action":"output","Test":"TestX/list","Output":"    x_test.go:2: /dev/hidraw0\n"}
{"Action":"output","Test":"TestX/list","Output":"--- PASS: TestX/list (0.00s)\n"}
{"Action":"pass","Test":"TestX/list","Elapsed":0}
{"Action":"run","Test":"TestX/pin"}
{"Action":"run","Test":"TestX/pin/right"}
{"Action":"output","Test":"TestX/pin/right","Output":"    x_test.go:3: deep\n"}
{"Action":"pass","Test":"TestX/pin/right","Elapsed":0}
{"Action":"run","Test":"TestX/pin/wrong"}
{"Action":"fail","Test":"TestX/pin/wrong","Elapsed":0}
{"Action":"pass","Test":"TestX/pin/last","Elapsed":0}
{"Action":"fail","Test":"TestX/pin","Elapsed":0}
{"Action":"skip","Test":"TestX/later","Elapsed":0}
{"Action":"fail","Test":"TestX/twice","Elapsed":0}
{"Action":"pass","Test":"TestX/twice","Elapsed":0}
{"Action":"run","Test":"TestX/stuck"}
{"Action":"output","Test":"TestX/stuck","Output":"panic: test timed out\n"}
{"Action":"output","Output":"exit status 2\n"}
{"Action":"fail","Elapsed":1}
`
	want := []verdict{
		{"", "fail", "    x_test.go:1: booted\nexit status 2\n"},
		{"list", "pass", "    x_test.go:2: /dev/hidraw0\n--- PASS: TestX/list (0.00s)\n"},
		{"pin", "fail", "    x_test.go:3: deep\n"},
		{"later", "skip", ""},
		{"twice", "fail", ""},
		{"stuck", "", "panic: test timed out\n"},
	}
	got, err := parse([]byte(events))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if got, err := parse([]byte(`{"Action":"run"`)); err == nil {
		t.Errorf("half an event gave %+v", got)
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"":              `''`,
		"/tmp/a b":      `'/tmp/a b'`,
		"it's; $HOME\n": "'it'\\''s; $HOME\n'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) = %s, want %s", word, got, want)
		}
	}
}
