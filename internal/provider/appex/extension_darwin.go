package appex

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// patience is how long a request may take before it is given up. Ours; the system
// and the person are sooner.
const patience = 5 * time.Minute

// Extension is the process.
type Extension struct {
	// Lib must have loaded Security, LocalAuthentication, AuthenticationServices and AppKit.
	Lib      *macos.Library
	Provider *provider.Provider
	// Verify asks for the finger or the login password.
	Verify func(ctx context.Context, reason string) error
	// Legible makes a text of a site's harmless to show.
	Legible func(string) string
	Log     *slog.Logger

	mu    sync.Mutex
	views map[macos.ID]*view // by controller
}

// Run registers the class and hands the process to the system. It returns only when
// that fails. It must be called on the process's first thread.
func (x *Extension) Run() error {
	x.views = map[macos.ID]*view{}
	err := x.Lib.Define(Class, "ASCredentialProviderViewController", &macos.Overrides{
		LoadView:             x.loadView,
		PrepareList:          func(self, _ macos.ID) { x.refuse(self, provider.NotFound) }, // passwords: there are none
		PrepareListFor:       x.list,
		ProvideSilently:      x.provideSilently,
		PrepareToProvide:     x.provide,
		PrepareRegistration:  x.register,
		PrepareConfiguration: x.configure,
		RegisterSilently:     x.registerSilently,
		ReportUpdate:         x.reportUpdate,
		ReportUnknown:        x.reportUnknown,
		ReportAllAccepted:    x.reportAllAccepted,
		Chosen:               x.chosen,
	}, x.stopped)
	if err != nil {
		return err
	}
	code := x.Lib.C.NSExtensionMain(*x.Lib.C.NSGetArgc(), *x.Lib.C.NSGetArgv())
	return fmt.Errorf("the extension's main loop ended with %d", code)
}

// stopped ends a request whose method panicked.
func (x *Extension) stopped(self macos.ID, reason any) {
	x.Log.Error("a method panicked", "cause", fmt.Sprint(reason))
	x.refuse(self, provider.Failed)
}

// refuse cancels at once, on the main thread.
func (x *Extension) refuse(self macos.ID, code provider.Code) {
	(&request{x: x, context: x.Lib.Send.ExtensionContext(self)}).cancel(code)
}

// start runs do beside the main thread, with the controller and its context alive.
func (x *Extension) start(self macos.ID, do func(ctx context.Context, screen *view, to *request)) {
	send := x.Lib.Send
	to := &request{x: x, context: send.ExtensionContext(self)}
	send.Retain(self)
	send.Retain(to.context)
	screen := x.view(self)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		do(ctx, screen, to)
		x.Lib.OnMain(func() {
			x.forget(self)
			send.Release(to.context)
			send.Release(self)
		})
	}()
}

func (x *Extension) register(self, req macos.ID) {
	r, ok := x.registration(req)
	if !ok {
		x.refuse(self, provider.Failed)
		return
	}
	x.start(self, func(ctx context.Context, screen *view, to *request) { x.Provider.Register(ctx, r, screen, to) })
}

func (x *Extension) provide(self, req macos.ID) {
	r, ok := x.assertion(req)
	if !ok {
		x.refuse(self, provider.Failed)
		return
	}
	x.start(self, func(ctx context.Context, screen *view, to *request) { x.Provider.Assert(ctx, r, screen, to) })
}

func (x *Extension) list(self, _, parameters macos.ID) {
	send := x.Lib.Send
	r := provider.AssertionRequest{
		RPID:           x.Lib.Text(send.ParametersRP(parameters)),
		ClientDataHash: x.Lib.Bytes(send.ParametersHash(parameters)),
	}
	for _, id := range x.Lib.Items(send.ParametersAllowed(parameters)) {
		r.Allowed = append(r.Allowed, x.Lib.Bytes(id))
	}
	x.start(self, func(ctx context.Context, screen *view, to *request) { x.Provider.Assert(ctx, r, screen, to) })
}

func (x *Extension) provideSilently(self, _ macos.ID) {
	x.start(self, func(ctx context.Context, _ *view, to *request) { x.Provider.AssertSilently(ctx, to) })
}

func (x *Extension) registerSilently(self, _ macos.ID) {
	x.start(self, func(ctx context.Context, _ *view, to *request) { x.Provider.RegisterSilently(ctx, to) })
}

func (x *Extension) configure(self macos.ID) {
	x.start(self, func(ctx context.Context, _ *view, to *request) { x.Provider.Configure(ctx, to) })
}

func (x *Extension) reportUpdate(_, rp, handle, name macos.ID) {
	rpID, user, text := x.text(rp), x.bytes(handle), x.text(name)
	go x.Provider.ReportUpdate(context.Background(), rpID, user, text)
}

func (x *Extension) reportUnknown(_, rp, credential macos.ID) {
	rpID, id := x.text(rp), x.bytes(credential)
	go x.Provider.ReportUnknown(context.Background(), rpID, id)
}

func (x *Extension) reportAllAccepted(_, rp, handle, credentials macos.ID) {
	rpID, user := x.text(rp), x.bytes(handle)
	var ids [][]byte
	for _, id := range x.Lib.Items(macos.Ref(credentials)) {
		ids = append(ids, x.Lib.Bytes(id))
	}
	go x.Provider.ReportAllAccepted(context.Background(), rpID, user, ids)
}

func (x *Extension) text(s macos.ID) string  { return x.Lib.Text(macos.Ref(s)) }
func (x *Extension) bytes(d macos.ID) []byte { return x.Lib.Bytes(macos.Ref(d)) }
