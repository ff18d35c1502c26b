package cli_test

import (
	"context"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// answers is `answers ANSWER…`: what the person answers at the agent's next dialogs.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(pinentrytest.Answer(ts.Getenv("PINENTRY_DIR"), args...))
}

// shown is `shown TEXT…`: since the last time, the agent's dialogs have said that.
func shown(ts *testscript.TestScript, _ bool, args []string) {
	got, err := pinentrytest.Shown(ts.Getenv("PINENTRY_DIR"))
	ts.Check(err)
	for _, want := range args {
		if !strings.Contains(got, want) {
			ts.Fatalf("%q was not shown, but: %s", want, got)
		}
	}
}

// attended waits until the daemon has an agent.
func attended(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := socket.Dial(ctx, ts.Getenv("SOCKET"))
	ts.Check(err)
	defer conn.Close()
	for {
		status, err := ctap.Call[ctap.StatusResponse](ctx, ctap.NewClient(conn), ctap.CommandStatus, nil)
		ts.Check(err)
		if status.Prompt == ctap.PromptAgent {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
