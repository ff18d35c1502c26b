package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/notify"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
	"github.com/localpasskey/localpasskey/internal/prompt/restraint"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// maxProgram bounds a program's name in a question, in code points.
const maxProgram = 100

// runAgent joins the daemon's questions, and what it tells, with the person at this screen or
// terminal. bus is the address of the session's, "" for none.
func runAgent(ctx context.Context, o service.AgentOptions, bus string) error {
	user, how, err := asker(o.Pinentry)
	if err != nil {
		return err
	}
	desk := agent.NewDesk(user)
	defer desk.Close()
	teller := &notify.Teller{Bus: bus, Level: notify.Level(o.Notify), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return socket.Attend(ctx, o.Socket, func() {
		o.Attending(how)
		go teller.Run(ctx, func(ctx context.Context) (ctap.Authenticator, io.Closer, error) { return connect(ctx, o.Socket) })
	}, desk.Answer)
}

// connect reaches the daemon as any program does.
func connect(ctx context.Context, path string) (ctap.Authenticator, io.Closer, error) {
	conn, err := socket.Dial(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	return ctap.NewClient(conn), conn, nil
}

// asker finds a way to ask, and says which it is.
func asker(program string) (user authenticator.User, how string, err error) {
	terminal, terminalErr := prompt.Open("/dev/tty")
	if path, ok := pinentry.Find(program); ok {
		p := pinentry.New(path, terminal)
		return &restraint.User{User: p, Bar: notThisProgram(p)}, path, nil
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
	return &restraint.User{User: terminal}, "this terminal", nil
}

// notThisProgram offers to hear no more of a program that asks on after a no.
func notThisProgram(p *pinentry.Pinentry) func(ctx context.Context, program string) bool {
	return func(ctx context.Context, program string) bool {
		return p.Choose(ctx, fmt.Sprintf("%s asks again and again after you said no.\n\n"+
			"It may be asking for what you do not want. Refuse all that it asks from now on, without showing it? "+
			"That ends when you log out.", prompt.Legible(program, maxProgram)), "Not this program", "Go on showing it")
	}
}
