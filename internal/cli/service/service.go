// Package service is the commands that stay until they are stopped: the daemon and the
// agent. It refuses to know what they do all the time.
package service

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/command"
)

// maxText bounds a daemon's words, in code points.
const maxText = 1000

// Program is what the two need of the program around them.
type Program struct {
	command.Program

	Sockets *Sockets
	// Store is where the user's own store is, "" where the system names no place.
	Store string
	// State is the directory of all users' stores.
	State string
	// Daemon runs the daemon until ctx ends.
	Daemon func(ctx context.Context, o DaemonOptions) error
	// Agent asks the daemon's questions until ctx ends, or the daemon does.
	Agent func(ctx context.Context, o AgentOptions) error
}

// DaemonOptions are what `localpasskey daemon` was told.
type DaemonOptions struct {
	System bool          // for all users
	Socket string        // path to listen at
	Store  string        // path of the store; of a system service's the directory of all stores
	TPM    string        // device of the TPM's resource manager
	UHID   string        // node that makes HID devices, "" to offer none
	Logind bool          // with System: ask logind who is at the machine
	Idle   time.Duration // with Logind: see logind.Config
	// Listening is called once, when callers can connect.
	Listening func()
}

// AgentOptions are what `localpasskey agent` was told.
type AgentOptions struct {
	Socket   string // path of the daemon's
	Pinentry string // program, "" for the system's
	// Notify is how much notifications of the desktop tell: "uses", "warnings" or "none".
	Notify string
	// Attending is called once, when the daemon asks here; how says by what.
	Attending func(how string)
}

// Commands are `daemon` and `agent`.
func Commands(p Program) []*cobra.Command {
	return []*cobra.Command{p.daemonCommand(), p.agentCommand()}
}

// note writes a line that is not part of the result.
func (p Program) note(format string, args ...any) { fmt.Fprintf(p.Err, format+"\n", args...) }
