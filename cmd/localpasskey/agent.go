package main

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// runAgent joins the daemon's questions with the person at this screen or terminal.
func runAgent(ctx context.Context, o service.AgentOptions) error {
	user, how, err := asker(o.Pinentry)
	if err != nil {
		return err
	}
	desk := agent.NewDesk(user)
	defer desk.Close()
	return socket.Attend(ctx, o.Socket, func() { o.Attending(how) }, desk.Answer)
}

// asker finds a way to ask, and says which it is.
func asker(program string) (user authenticator.User, how string, err error) {
	terminal, terminalErr := prompt.Open("/dev/tty")
	if path, ok := pinentry.Find(program); ok {
		return pinentry.New(path, terminal), path, nil
	}
	if program != "" {
		return nil, "", &ctap.Problem{
			Status: ctap.Other, What: "there is no program " + program,
			Hint: "name one that is: --pinentry PROGRAM; without the flag the system's own is taken",
		}
	}
	if terminalErr != nil {
		return nil, "", &ctap.Problem{
			Status: ctap.Other, What: "there is no pinentry program and no terminal to ask at", Cause: terminalErr,
			Hint: "install one: sudo apt install pinentry-gnome3 (or pinentry-qt, pinentry-gtk2, pinentry-tty)",
		}
	}
	return terminal, "this terminal", nil
}
