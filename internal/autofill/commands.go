package autofill

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// Exit codes, as those of localpasskey.
const (
	codeOK      = 0
	codeFailed  = 1
	codeUsage   = 2
	codeMissing = 3
	codeRefused = 4
)

// maxName is how much of a name is shown, in code points.
const maxName = 64

const usage = `LocalPasskey: passkeys in this Mac's Secure Enclave, offered by macOS in every browser and app.

  LocalPasskey list [--json]   the passkeys
  LocalPasskey manage          the same in a window, to look through, rename, hide and delete
  LocalPasskey manage --browser   the same in your browser, by a link of this Mac's own
  LocalPasskey delete ID       delete one, for good; ID or its beginning
  LocalPasskey refresh         have macOS offer what there is
  LocalPasskey log             what the extension has noted; no site, no account

Opened without a command it shows the window, and says first how to turn it on where nothing is here yet.
macOS reports these passkeys as synced (BE=1, BS=1): it takes no others from a provider. They are not.
`

// Commands are the app's commands.
type Commands struct {
	Provider *provider.Provider
	// Manage shows the page until it is closed: in a window, or in the person's browser.
	Manage func(ctx context.Context, browser bool) error
	// Folder is the group's, where the extension's log is.
	Folder   string
	In       io.Reader
	Out, Err io.Writer
}

// Run runs a command line and gives the exit code.
func (c Commands) Run(ctx context.Context, args []string) int {
	err := c.run(ctx, args)
	var wrong *usageError
	var p *ctap.Problem
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &wrong):
		fmt.Fprintf(c.Err, "LocalPasskey: %s\nhint: see LocalPasskey --help\n", wrong.what)
		return codeUsage
	case errors.As(err, &p):
		fmt.Fprintf(c.Err, "LocalPasskey: %s\n", p.What)
		if p.Hint != "" {
			fmt.Fprintf(c.Err, "hint: %s\n", p.Hint)
		}
	default:
		fmt.Fprintf(c.Err, "LocalPasskey: %v\n", err)
	}
	switch ctap.StatusOf(err) {
	case ctap.NoCredentials:
		return codeMissing
	case ctap.OperationDenied:
		return codeRefused
	default:
		return codeFailed
	}
}

type usageError struct{ what string }

func (u *usageError) Error() string { return u.what }

func (c Commands) run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && slices.Contains([]string{"help", "-h", "--help"}, args[0]):
		fmt.Fprint(c.Out, usage)
		return nil
	case len(args) == 1 && args[0] == "list":
		return c.list(ctx)
	case len(args) == 2 && args[0] == "list" && args[1] == "--json":
		return c.listJSON(ctx)
	case len(args) == 2 && args[0] == "delete":
		return c.delete(ctx, args[1])
	case len(args) == 1 && args[0] == "refresh":
		return c.Provider.Refresh(ctx)
	case len(args) == 1 && args[0] == "manage":
		return c.Manage(ctx, false)
	case len(args) == 2 && args[0] == "manage" && args[1] == "--browser":
		return c.Manage(ctx, true)
	case len(args) == 1 && args[0] == "log":
		return copyLog(c.Folder, c.Out)
	default:
		return &usageError{fmt.Sprintf("%q is no command", strings.Join(args, " "))}
	}
}

// passkeys are sorted by service, then by user.
func (c Commands) passkeys(ctx context.Context) ([]provider.Passkey, error) {
	all, err := c.Provider.Passkeys(ctx)
	slices.SortStableFunc(all, func(x, y provider.Passkey) int {
		if n := strings.Compare(x.RPID, y.RPID); n != 0 {
			return n
		}
		return strings.Compare(x.UserName, y.UserName)
	})
	return all, err
}

func (c Commands) list(ctx context.Context) error {
	all, err := c.passkeys(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(c.Err, "No passkeys. Registered passkeys will appear here.")
		return nil
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tUSER NAME\tCREATED\tSTATE\tID")
	for _, p := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", prompt.Service(p.RPID), prompt.Legible(p.UserName, maxName), p.Created.Format(time.DateOnly), state(p), short(p.ID))
	}
	return table.Flush()
}

// state says what is to be known of a passkey.
func state(p provider.Passkey) string {
	switch {
	case p.Broken:
		return "key is gone"
	case p.Hidden:
		return "hidden, unknown to the service"
	default:
		return "reported as synced by macOS"
	}
}

// short is the beginning of an ID, long enough to tell passkeys apart.
func short(id []byte) string { return encode(id)[:min(8, len(encode(id)))] }

func encode(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// listed is a passkey as JSON.
type listed struct {
	ID       string    `json:"id"`
	Service  string    `json:"service"`
	UserName string    `json:"user_name"`
	Created  time.Time `json:"created"`
	Hidden   bool      `json:"hidden"`
	KeyGone  bool      `json:"key_gone"`
	// Synced is what macOS reports, and LocalPasskey does not do.
	Synced bool `json:"reported_as_synced"`
}

func (c Commands) listJSON(ctx context.Context) error {
	all, err := c.passkeys(ctx)
	if err != nil {
		return err
	}
	out := []listed{}
	for _, p := range all {
		out = append(out, listed{encode(p.ID), p.RPID, p.UserName, p.Created.UTC(), p.Hidden, p.Broken, true})
	}
	encoder := json.NewEncoder(c.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// delete has the service's name typed exactly.
func (c Commands) delete(ctx context.Context, id string) error {
	p, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	name := prompt.Service(p.RPID)
	fmt.Fprintf(c.Err, "This deletes the passkey of %s for %s, for ever.\n", prompt.Legible(p.UserName, maxName), name)
	fmt.Fprint(c.Err, "The service is not told. Make sure that you can sign in some other way.\n")
	fmt.Fprintf(c.Err, "Type %s to delete it; anything else cancels: ", name)
	answer, err := bufio.NewReader(io.LimitReader(c.In, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimRight(answer, "\r\n") != name {
		return &ctap.Problem{Status: ctap.OperationDenied, What: "nothing was deleted"}
	}
	if err := c.Provider.Delete(ctx, p.ID); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, "Deleted.")
	return nil
}

// find gives the one passkey whose ID begins so.
func (c Commands) find(ctx context.Context, beginning string) (provider.Passkey, error) {
	all, err := c.Provider.Passkeys(ctx)
	if err != nil {
		return provider.Passkey{}, err
	}
	all = slices.DeleteFunc(all, func(p provider.Passkey) bool { return beginning == "" || !strings.HasPrefix(encode(p.ID), beginning) })
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return provider.Passkey{}, &ctap.Problem{Status: ctap.NoCredentials, What: "there is no such passkey", Hint: "LocalPasskey list shows the IDs"}
	default:
		return provider.Passkey{}, &ctap.Problem{Status: ctap.Other, What: "several IDs begin so", Hint: "give more of the ID: LocalPasskey list --json"}
	}
}

// Greets tells whether the app, when it is opened, has something to say before its window opens.
func Greets(passkeys int, problem error) bool { return passkeys == 0 || problem != nil }

// Welcome is what the app says then: how many passkeys there are, and how to turn it on.
func Welcome(passkeys int, problem error) (title, text string) {
	if p, ok := errors.AsType[*ctap.Problem](problem); ok {
		return "LocalPasskey cannot be used", strings.TrimSpace(p.What + ".\n" + p.Hint)
	}
	if problem != nil {
		return "LocalPasskey cannot be used", problem.Error()
	}
	switch passkeys {
	case 0:
		title = "No passkeys yet"
	case 1:
		title = "1 passkey in this Mac’s Secure Enclave"
	default:
		title = fmt.Sprintf("%d passkeys in this Mac’s Secure Enclave", passkeys)
	}
	return title, "Turn LocalPasskey on in System Settings > General > AutoFill & Passwords. " +
		"Passkeys never leave this Mac and are in no backup: register a second one, elsewhere, at every service you care about."
}
