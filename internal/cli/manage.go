package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/manager"
	"github.com/localpasskey/localpasskey/internal/socket"
)

func (r *run) manageCommand() *cobra.Command {
	var noOpen bool
	c := &cobra.Command{
		Use:   "manage",
		Short: "Look through the passkeys in your browser",
		Long: `Shows the passkeys in your browser: to look through and filter, rename and delete them, and
to see what has happened to them.

The page comes from this program, on a port of this machine only, by a link that works
once. It ends when you close the page, after ten minutes without use, or with Ctrl-C.
Where your browser cannot be opened, take the link from --no-open.`,
		Args: cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error { return r.manage(ctx, noOpen) }),
	}
	c.Flags().BoolVar(&noOpen, "no-open", false, "write the link instead of opening a browser")
	return c
}

// manage serves the page until it is gone.
func (r *run) manage(ctx context.Context, noOpen bool) (err error) {
	if _, err := r.sockets.Client(); err != nil {
		return err
	}
	server, err := manager.Open(ctx, &manager.API{Dial: r.dial, Explain: r.inWords})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close(ctx)) }()
	if noOpen {
		r.say("%s", server.URL())
	} else {
		clean, err := manager.Show(ctx, server.URL())
		if err != nil {
			return &failure{what: "your browser cannot be opened", hint: "`localpasskey manage --no-open` writes the link", code: codeFailed}
		}
		defer clean() //nolint:errcheck // A file in the directory for such; its link works no more.
	}
	r.note("Your passkeys are in your browser now. Close the page there, or press Ctrl-C here, to end.")
	return server.Wait(ctx)
}

// dial is within for the page, which shows a daemon's problem itself.
func (r *run) dial(ctx context.Context) (ctap.Authenticator, func() error, error) {
	path, err := r.sockets.Client()
	if err != nil {
		return nil, nil, err
	}
	conn, err := socket.Dial(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	return ctap.NewClient(conn), conn.Close, nil
}

func (r *run) inWords(err error) (what, hint string) {
	f := r.explain(err)
	return f.what, f.hint
}
