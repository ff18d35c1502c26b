package window

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/localpasskey/localpasskey/internal/macos"
)

// Ours: the window before its size was ever changed, in points, and the name under which macOS
// remembers it.
const (
	width, height       = 980, 640
	minWidth, minHeight = 420, 320
	frameName           = "LocalPasskey"
)

// Window is the app's window. Lib must have loaded "AppKit" and "WebKit".
type Window struct {
	Lib     *macos.Library
	Handler http.Handler
	// Settings opens System Settings where AutoFill is.
	Settings func()
	Log      *slog.Logger

	scheme Scheme
	view   macos.ID
	self   macos.ID // the object that macOS tells everything
}

// Run shows the window and answers the system's events. It must be called on the process's first
// thread, and does not return: when the window is closed the app ends.
func (w *Window) Run(ctx context.Context) error {
	w.scheme = Scheme{Context: ctx, Handler: w.Handler, OnMain: w.Lib.OnMain, Log: w.Log}
	if err := w.define(ctx); err != nil {
		return err
	}
	lib := w.Lib
	app := lib.Send.Application(lib.Class("NSApplication"))
	lib.Pool(func() {
		w.self = lib.Send.Init(lib.Send.Alloc(lib.Own(className)))
		lib.Send.SetActivationPolicy(app, macos.NSApplicationActivationPolicyRegular)
		lib.Send.SetAppDelegate(app, w.self)
		w.setMenu(app)
		w.open()
		lib.Send.Activate(app)
	})
	lib.Send.RunLoop(app)
	return nil
}

const className = "LocalPasskeyWindow"

// define makes the class of the object that macOS tells everything. A panic in it is noted; what was
// asked is then not done.
func (w *Window) define(ctx context.Context) error {
	lib := w.Lib
	return lib.Define(className, "NSObject", &macos.Overrides{
		LastWindow: func(_, _ macos.ID) bool { return true },
		StartTask:  func(_, _, task macos.ID) { w.scheme.Start(uintptr(task), w.request(task), w.task(task)) }, //nolint:contextcheck // Scheme has it: WebKit calls without one.
		StopTask:   func(_, _, task macos.ID) { w.scheme.Stop(uintptr(task)) },
		DecidePolicy: func(_, _, action macos.ID, answer macos.BlockPolicy) {
			policy := macos.WKNavigationActionPolicyCancel
			defer func() { lib.Answer(answer, policy) }() // whatever happens: without an answer WebKit ends the app
			policy = w.policy(action)
		},
		ContentEnded: func(_, _ macos.ID) { w.load() }, // the page's process has died: begin anew
		CreateWebView: func(_, _, _, action, _ macos.ID) macos.ID {
			w.policy(action)
			return 0 // there is one window
		},
		Commanded: func(_, item macos.ID) { w.command(Command(lib.Send.ItemTag(item))) },
	}, func(_ macos.ID, reason any) { w.Log.ErrorContext(ctx, "the window failed", "cause", reason) })
}

// setMenu makes macOS's menu of Menu.
func (w *Window) setMenu(app macos.ID) {
	main := w.menu("", Menu(), func(title string, menu macos.ID) {
		if title == windows {
			w.Lib.Send.SetWindowsMenu(app, menu)
		}
	})
	w.Lib.Send.SetMainMenu(app, main)
}

// menu makes a menu, and shows each below it to made.
func (w *Window) menu(title string, items []Item, made func(title string, menu macos.ID)) macos.ID {
	lib := w.Lib
	name := lib.String(title)
	defer lib.Release(name)
	menu := lib.Send.InitMenu(lib.Send.Alloc(lib.Class("NSMenu")), name)
	for _, i := range items {
		lib.Send.AddItem(menu, w.item(i, made))
	}
	return menu
}

func (w *Window) item(i Item, made func(title string, menu macos.ID)) macos.ID {
	lib := w.Lib
	if i.Title == "" {
		return lib.Send.SeparatorItem(lib.Class("NSMenuItem"))
	}
	title, key := lib.String(i.Title), lib.String(i.Key)
	defer lib.Release(title, key)
	action := macos.SEL(0)
	switch {
	case i.Action != "":
		action = lib.Selector(string(i.Action))
	case i.Command != NoCommand:
		action = lib.Selector("localPasskeyCommanded:")
	}
	item := lib.Send.InitItem(lib.Send.Alloc(lib.Class("NSMenuItem")), title, action, key)
	lib.Send.SetKeyModifiers(item, i.Modifiers())
	if i.Command != NoCommand {
		lib.Send.SetItemTarget(item, w.self)
		lib.Send.SetItemTag(item, int(i.Command))
	}
	if len(i.Items) > 0 {
		menu := w.menu(i.Title, i.Items, made)
		lib.Send.SetSubmenu(item, menu)
		made(i.Title, menu)
	}
	return item
}

// open makes the window with its web view, which writes nothing to the disk, and loads the page.
func (w *Window) open() {
	lib := w.Lib
	frame := macos.Rect{Size: macos.Size{Width: width, Height: height}}
	const style = macos.NSWindowStyleMaskTitled | macos.NSWindowStyleMaskClosable | macos.NSWindowStyleMaskMiniaturizable | macos.NSWindowStyleMaskResizable
	win := lib.Send.InitWindow(lib.Send.Alloc(lib.Class("NSWindow")), frame, style, macos.NSBackingStoreBuffered, false)
	title, scheme, name := lib.String("LocalPasskey"), lib.String(SchemeName), lib.String(frameName)
	defer lib.Release(title, scheme, name)
	lib.Send.SetWindowTitle(win, title)
	lib.Send.SetReleased(win, false)
	lib.Send.SetMinimum(win, macos.Size{Width: minWidth, Height: minHeight})

	configuration := lib.New("WKWebViewConfiguration")
	lib.Send.SetWebsiteStore(configuration, lib.Send.EphemeralStore(lib.Class("WKWebsiteDataStore")))
	lib.Send.SetSchemeHandler(configuration, w.self, scheme)
	w.view = lib.Send.InitWebView(lib.Send.Alloc(lib.Class("WKWebView")), frame, configuration)
	lib.Send.Release(configuration)
	lib.Send.SetNavigation(w.view, w.self)
	lib.Send.SetUI(w.view, w.self)
	lib.Send.SetContentView(win, w.view)

	lib.Send.Center(win)
	lib.Send.SetAutosaveName(win, name) // where it was last time, if it ever was
	lib.Send.ShowWindow(win, 0)
	lib.Send.MakeFirst(win, w.view)
	w.load()
}

// load shows the page from its beginning.
func (w *Window) load() {
	lib := w.Lib
	address := lib.String(Origin + "/")
	defer lib.Release(address)
	url := lib.Send.URLWithString(lib.Class("NSURL"), address)
	lib.Send.LoadRequest(w.view, lib.Send.RequestWithURL(lib.Class("NSURLRequest"), url))
}

// policy tells what WebKit is to do about an action, having had the browser do its part.
func (w *Window) policy(action macos.ID) int {
	lib := w.Lib
	url := lib.Send.RequestURL(lib.Send.ActionRequest(action))
	clicked := lib.Send.ActionType(action) == macos.WKNavigationTypeLinkActivated
	switch Decide(lib.Text(lib.Send.AbsoluteString(url)), lib.Send.ActionTarget(action) == 0, clicked) {
	case Show:
		return macos.WKNavigationActionPolicyAllow
	case Browser:
		lib.Send.OpenURL(lib.Send.Workspace(lib.Class("NSWorkspace")), url)
	case Refuse:
	}
	return macos.WKNavigationActionPolicyCancel
}

// command does what an item of the menu asks.
func (w *Window) command(c Command) {
	if c == Settings {
		w.Settings()
		return
	}
	script := w.Lib.String(c.Script())
	defer w.Lib.Release(script)
	w.Lib.Send.RunScript(w.view, script, 0)
}

// request reads what WebKit wants.
func (w *Window) request(task macos.ID) Request {
	lib := w.Lib
	r := lib.Send.TaskRequest(task)
	body := lib.Send.RequestBody(r)
	return Request{
		Method: lib.Text(lib.Send.RequestMethod(r)),
		URL:    lib.Text(lib.Send.AbsoluteString(lib.Send.RequestURL(r))),
		Header: lib.Strings(lib.Send.RequestHeaders(r)),
		Body:   lib.Bytes(body),
		Lost:   body == 0 && lib.Send.RequestBodyStream(r) != 0,
	}
}

// webTask is a WKURLSchemeTask.
type webTask struct {
	lib       *macos.Library
	task, url macos.ID
}

func (w *Window) task(task macos.ID) Task {
	url := w.Lib.Send.RequestURL(w.Lib.Send.TaskRequest(task))
	w.Lib.Send.Retain(task)
	w.Lib.Send.Retain(url)
	return &webTask{lib: w.Lib, task: task, url: url}
}

// Respond tells status and headers.
func (t *webTask) Respond(status int, header http.Header) {
	var pairs [][2]macos.Ref
	for name, values := range header {
		pairs = append(pairs, [2]macos.Ref{t.lib.String(name), t.lib.String(strings.Join(values, ", "))})
	}
	headers, version := t.lib.Dict(pairs...), t.lib.String("HTTP/1.1")
	response := t.lib.Send.InitResponse(t.lib.Send.Alloc(t.lib.Class("NSHTTPURLResponse")), t.url, status, version, headers)
	t.lib.Send.TaskResponse(t.task, response)
	t.lib.Send.Release(response)
	t.lib.Release(headers, version)
	for _, p := range pairs {
		t.lib.Release(p[0], p[1])
	}
}

// Data tells some of the body.
func (t *webTask) Data(p []byte) {
	data := t.lib.Data(p)
	defer t.lib.Release(data)
	t.lib.Send.TaskData(t.task, data)
}

// Finish ends it well.
func (t *webTask) Finish() { t.lib.Send.TaskFinish(t.task) }

// Fail ends it badly.
func (t *webTask) Fail() {
	domain := t.lib.String(SchemeName)
	defer t.lib.Release(domain)
	t.lib.Send.TaskFail(t.task, t.lib.Send.ErrorDomain(t.lib.Class("NSError"), domain, 1, 0))
}

// Release lets go of it.
func (t *webTask) Release() {
	t.lib.Send.Release(t.url)
	t.lib.Send.Release(t.task)
}
