package native

import (
	"log/slog"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// Config is for an authenticator in this program, with its store at that path. Which of several
// accounts is meant is asked on main. The error is what this macOS lacks.
func Config(store, version string, main *mainthread.Thread, log *slog.Logger) (local.Config, error) {
	lib, err := macos.Load("Security", "LocalAuthentication")
	if err != nil {
		return local.Config{}, err
	}
	return local.Config{
		StorePath: store,
		Security:  enclave.Native(lib),
		Person: func(p enclave.Protection) (authenticator.User, func() bool) {
			sensor := touchid.Native{Lib: lib, Password: p == enclave.UserPresence}
			chooser := touchid.Chooser{Panel: touchid.NativePanel{Main: main}}
			return touchid.User{Sensor: sensor, Choose: chooser.Choose}, func() bool { return sensor.Available() == nil }
		},
		Version: version, Log: log,
	}, nil
}
