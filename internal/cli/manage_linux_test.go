package cli_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cli"
)

// TestManage has the link written, and follows it. No daemon answers, and the page is
// told so in words.
func TestManage(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		program := cli.Program{Out: in, Err: io.Discard, Socket: filepath.Join(t.TempDir(), "socket")}
		ended <- program.Run(ctx, []string{"manage", "--no-open"})
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	origin, link, ok := strings.Cut(strings.TrimSpace(line), "/#")
	if !ok || !strings.HasPrefix(origin, "http://127.0.0.1:") {
		t.Fatalf("the link is %q", line)
	}
	post := func(path, body, cookie, key string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Cookie", cookie)
		req.Header.Set("Localpasskey-Key", key)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(content)
	}
	begun, key := post("/session", link, "", "")
	cookie, _, _ := strings.Cut(begun.Header.Get("Set-Cookie"), ";")
	if answer, body := post("/api/passkeys", "", cookie, key); answer.StatusCode != http.StatusUnprocessableEntity ||
		!strings.Contains(body, "no LocalPasskey daemon answers") {
		t.Errorf("without a daemon: %s, %s", answer.Status, body)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("it ends with code %d", code)
	}
}
