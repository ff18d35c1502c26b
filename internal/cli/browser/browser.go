// Package browser is the commands that let this machine's browsers talk to
// localpasskey-browser. It refuses to know what they say.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Program is the native-messaging host's name: it stands beside this program.
const Program = "localpasskey-browser"

// group is the commands and what they work on.
type group struct {
	command.Program

	places   browsers.Places
	log      browsers.Log
	everyone bool
	host     string
	json     bool
}

const long = `Lets the browsers of this machine start localpasskey-browser, which the LocalPasskey
extension talks to: browsers start only programs that they find named in their own directories.

Installing the extension itself is done in the browser: see docs/extension.md.`

// Command is "browser"; log is where the host notes that an extension has connected.
func Command(around command.Program, log browsers.Log) *cobra.Command {
	home, err := os.UserHomeDir()
	g := &group{Program: around, log: log, places: browsers.Places{Home: home, System: "/", MacOS: runtime.GOOS == "darwin"}}
	c := &cobra.Command{Use: "browser", Short: "Connect browsers with LocalPasskey", Long: long, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	noHome := func(act func() error) func(context.Context, []string) error {
		return func(context.Context, []string) error {
			if err != nil && !g.everyone {
				return &exit.Error{What: "the system names no home directory", Hint: "set HOME", Code: exit.Failed}
			}
			return act()
		}
	}
	install := &cobra.Command{Use: "install", Short: "Let the browsers found here reach LocalPasskey", Args: cobra.NoArgs, RunE: g.Does(noHome(g.install))}
	install.Flags().StringVar(&g.host, "host", "", "`path` of localpasskey-browser (default: the one beside this program)")
	remove := &cobra.Command{Use: "remove", Short: "Take that back", Args: cobra.NoArgs, RunE: g.Does(noHome(g.remove))}
	status := &cobra.Command{Use: "status", Short: "Which browsers reach LocalPasskey, and has the extension connected", Args: cobra.NoArgs, RunE: g.Does(noHome(g.status))}
	status.Flags().BoolVar(&g.json, "json", false, "write JSON")
	c.AddCommand(g.manifestCommand())
	for _, sub := range []*cobra.Command{install, remove, status} {
		sub.Flags().BoolVar(&g.everyone, "system", false, "for everybody on this machine (needs root)")
		c.AddCommand(sub)
	}
	return c
}

// manifestCommand is for whoever packages the program: directories of browsers that are not
// here yet get the file too.
func (g *group) manifestCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "manifest chromium|firefox", Short: "Write the file by which browsers find the host", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: g.Does(func(_ context.Context, args []string) error {
			family := browsers.Family(args[0])
			if family != browsers.Chromium && family != browsers.Firefox {
				return &exit.Error{What: "there is no family " + args[0], Hint: "chromium or firefox", Code: exit.Usage}
			}
			content, err := browsers.Manifest(family, g.host)
			if err == nil {
				_, err = g.Out.Write(content)
			}
			return err
		}),
	}
	c.Flags().StringVar(&g.host, "host", "/usr/bin/"+Program, "`path` of localpasskey-browser")
	return c
}

func (g *group) say(format string, args ...any) { _, _ = fmt.Fprintf(g.Out, format+"\n", args...) }

// found gives the browsers, or says that there are none.
func (g *group) found() ([]browsers.Browser, error) {
	found := g.places.Find(g.everyone)
	if len(found) == 0 {
		hint := "start the browser once, so that it makes its directory, and try again"
		if g.everyone {
			hint = "without --system the browsers that you have used are looked for"
		}
		return nil, &exit.Error{What: "no browser was found", Hint: hint, Code: exit.NotFound}
	}
	return found, nil
}

// program is the host's path.
func (g *group) program() (string, error) {
	path := g.host
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), Program)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", &exit.Error{What: "there is no program " + path, Hint: "`make install` puts it beside localpasskey; or name it: --host PATH", Code: exit.NotFound}
	}
	return path, nil
}

func (g *group) install() error {
	program, err := g.program()
	if err != nil {
		return err
	}
	found, err := g.found()
	if err != nil {
		return err
	}
	var failed error
	for _, b := range found {
		if limit := limits(b); b.Dir == "" {
			g.say("%-10s cannot: %s", b.Name, limit)
			continue
		}
		if err := b.Install(program); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", b.Name, err))
			continue
		}
		g.say("%-10s %s", b.Name, b.Manifest())
		if limit := limits(b); limit != "" {
			g.say("%-10s note: %s", "", limit)
		}
	}
	if failed != nil {
		return failure(failed)
	}
	g.say("Now install the extension in the browser: see docs/extension.md. `localpasskey browser status` tells whether it has connected.")
	return nil
}

func failure(err error) error {
	hint := "look at the permissions of that directory"
	if errors.Is(err, os.ErrPermission) {
		hint = "--system needs root: sudo localpasskey browser install --system"
	}
	return &exit.Error{What: err.Error(), Hint: hint, Code: exit.Failed}
}

func (g *group) remove() error {
	found, err := g.found()
	if err != nil {
		return err
	}
	var failed error
	for _, b := range found {
		removed, err := b.Remove()
		failed = errors.Join(failed, err)
		if removed {
			g.say("%-10s removed %s", b.Name, b.Manifest())
		}
	}
	if failed != nil {
		return failure(failed)
	}
	g.say("No browser found here starts LocalPasskey any more. The extension, if it is installed, then leaves everything to the browser.")
	return nil
}

// limits says what a browser's packaging keeps it from.
func limits(b browsers.Browser) string {
	switch {
	case b.Packaging == browsers.Plain:
		return ""
	case b.Family == browsers.Firefox:
		return "as a " + string(b.Packaging) + " it asks the desktop's portal first, which needs xdg-desktop-portal 1.20 or newer to start programs of the machine"
	default:
		return "as a " + string(b.Packaging) + " it starts no programs of the machine; use the security key, or the browser's own package"
	}
}

// row is what status tells of one browser.
type row struct {
	Name      string `json:"name"`
	Packaging string `json:"packaging,omitempty"`
	Manifest  string `json:"manifest,omitempty"`
	Program   string `json:"program,omitempty"`
	Problem   string `json:"problem,omitempty"`
	Hint      string `json:"hint,omitempty"`
}

// connected tells of a family's extension; Time is "" for never.
type connected struct {
	Family  string `json:"family"`
	Time    string `json:"time,omitempty"`
	Program string `json:"program,omitempty"`
}

func (g *group) status() error {
	found, err := g.found()
	if err != nil {
		return err
	}
	var rows []row
	for _, b := range found {
		rows = append(rows, g.row(b))
	}
	var extensions []connected
	for _, family := range []browsers.Family{browsers.Chromium, browsers.Firefox} {
		c := connected{Family: string(family)}
		seen, ok, err := g.log.Last(family)
		if err != nil {
			return err
		}
		if ok {
			c.Time, c.Program = seen.Time.Local().Format("2006-01-02 15:04:05"), seen.Program
		}
		extensions = append(extensions, c)
	}
	if g.json {
		return writeJSON(g.Out, struct {
			Browsers   []row       `json:"browsers"`
			Extensions []connected `json:"extensions"`
		}{rows, extensions})
	}
	g.print(rows, extensions)
	return nil
}

func (g *group) row(b browsers.Browser) row {
	r := row{Name: b.Name, Packaging: string(b.Packaging), Manifest: b.Manifest()}
	program, err := b.Installed()
	switch {
	case b.Dir == "":
		r.Problem = limits(b)
	case err != nil:
		r.Problem, r.Hint = err.Error(), "`localpasskey browser install` writes it anew"
	case program == "":
		r.Problem, r.Hint = "does not reach LocalPasskey", "`localpasskey browser install`"
	default:
		r.Program = program
		if _, err := os.Stat(program); err != nil {
			r.Problem, r.Hint = "its program "+program+" is not there", "`localpasskey browser install` writes it anew"
		}
	}
	return r
}

func (g *group) print(rows []row, extensions []connected) {
	for _, r := range rows {
		state := "reaches " + r.Program
		if r.Problem != "" {
			state = r.Problem
		}
		g.say("%-10s %s", r.Name, state)
		if r.Hint != "" {
			g.say("%-10s hint: %s", "", r.Hint)
		}
	}
	for _, e := range extensions {
		when := "has never connected"
		if e.Time != "" {
			when = "last connected " + e.Time + ", from " + prompt.Legible(e.Program, 64)
		}
		g.say("extension for %s: %s", e.Family, when)
	}
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
