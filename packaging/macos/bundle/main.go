// Command bundle puts LocalPasskey.app together, on any system: both programs for
// both processors, the property lists, the icon and the entitlements. It checks what
// it has made, and says how to sign it.
//
//	LocalPasskey.app/Contents/
//	├── Info.plist
//	├── MacOS/LocalPasskey                     cmd/localpasskey-app, arm64 and x86_64
//	├── Resources/LocalPasskey.icns
//	└── PlugIns/CredentialProvider.appex/Contents/
//	    ├── Info.plist
//	    └── MacOS/CredentialProvider           cmd/localpasskey-provider, arm64 and x86_64
//
// What it makes is not signed, and macOS runs none of it before it is.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// options are what the command was told.
type options struct {
	Out     string // directory, made anew
	ID      string // the app's bundle identifier
	Team    string // Apple's ten characters of a developer team
	Group   string // app group, which is the keychain's access group too
	Version string // as git describes it
	SDK     string // what LC_BUILD_VERSION says the programs were linked with
	// AppProfile and AppexProfile are provisioning profiles, "" to leave them out.
	AppProfile, AppexProfile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("bundle", flag.ContinueOnError)
	f.StringVar(&o.Out, "out", "dist/macos", "`directory` to make; what was there is removed")
	f.StringVar(&o.ID, "id", "app.localpasskey", "bundle `identifier`, registered with your team")
	f.StringVar(&o.Team, "team", "TEAMID0000", "your `team` identifier at Apple, ten characters")
	f.StringVar(&o.Group, "group", "", "app `group`; TEAM.ID if left out")
	f.StringVar(&o.Version, "version", "0.0.0", "`version`, as git describes it")
	f.StringVar(&o.SDK, "sdk", "26.0", "SDK `version` that the programs claim; older ones get older looks")
	f.StringVar(&o.AppProfile, "app-profile", "", "provisioning profile `file` of the app")
	f.StringVar(&o.AppexProfile, "appex-profile", "", "provisioning profile `file` of the extension")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.Group == "" {
		o.Group = o.Team + "." + o.ID
	}
	if err := o.check(); err != nil {
		return err
	}
	if err := assemble(ctx, o, goBuild); err != nil {
		return err
	}
	found, err := inspect(o)
	if err != nil {
		return err
	}
	found.print(out)
	if len(found.wrong) > 0 {
		return fmt.Errorf("%d things are wrong with %s", len(found.wrong), o.Out)
	}
	fmt.Fprint(out, signing(o))
	return nil
}
