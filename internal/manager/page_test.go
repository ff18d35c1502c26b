//go:build e2e && linux

package manager

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/test/browser"
)

// TestPage has real browsers use the page as a person does, with a real authenticator
// behind it.
func TestPage(t *testing.T) {
	for name, start := range map[string]func(context.Context, browser.Config) (browser.Browser, error){
		"Chromium": func(ctx context.Context, c browser.Config) (browser.Browser, error) {
			return browser.StartChromium(ctx, c)
		},
		"Firefox": func(ctx context.Context, c browser.Config) (browser.Browser, error) {
			return browser.StartFirefox(ctx, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			b, err := start(ctx, browser.Config{Dir: t.TempDir()})
			check(t, err)
			defer func() { check(t, b.Close()) }()
			t.Run("manages", func(t *testing.T) {
				managePage(ctx, t, b, newDaemon(t, "github.com alice", "bank.example bob", "shop.example carol", "gitlab.com zoe"))
			})
			t.Run("many", func(t *testing.T) { manyRows(ctx, t, b) })
			t.Run("settings", func(t *testing.T) { changeSettings(ctx, t, b) })
			t.Run("hides", func(t *testing.T) { hideAndBringBack(ctx, t, b) })
			t.Run("compares", func(t *testing.T) { comparePage(ctx, t, b) })
			t.Run("acts", func(t *testing.T) { actOnOne(ctx, t, b) })
			t.Run("keyboard", func(t *testing.T) { useKeyboard(ctx, t, b) })
			t.Run("trouble", func(t *testing.T) { meetTrouble(ctx, t, b) })
			t.Run("finger", func(t *testing.T) { useFingerPage(ctx, t, b) })
			t.Run("names", func(t *testing.T) { showNames(ctx, t, b) })
			if dressed, ok := b.(*browser.Chromium); ok {
				t.Run("access", func(t *testing.T) { checkAccess(ctx, t, dressed) })
				t.Run("speed", func(t *testing.T) { measure(ctx, t, dressed) })
			}
		})
	}
}

// visited is a page that is open and ready.
type visited struct {
	browser.Page

	ctx context.Context
}

// helpers are what a person does, in the page's own words.
const helpers = `
	const $ = (id) => document.getElementById(id);
	const until = async (holds) => { for (let i = 0; i < 400 && !holds(); i++) await new Promise((f) => setTimeout(f, 25)); return holds(); };
	const press = (e, key, more) => e.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...more}));
	const type = (id, text) => { $(id).value = text; $(id).dispatchEvent(new Event("input", {bubbles: true})); };
	const rows = () => [...document.querySelectorAll("#rows .row")].map((r) => r.querySelector(".service bdi").textContent + " " + r.querySelector(".user").textContent).join(", ");
	const seen = (id) => $(id).checkVisibility();
`

func visit(ctx context.Context, t *testing.T, b browser.Browser, a *API) (*visited, *Server) {
	t.Helper()
	s, err := Open(ctx, a)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close(context.Background())) })
	page, err := b.Open(ctx, s.URL())
	check(t, err)
	v := &visited{Page: page, ctx: ctx}
	v.wants(t, `await until(() => document.body.dataset.ready === "yes")`, "true")
	return v, s
}

// wants holds an expression to its value.
func (v *visited) wants(t *testing.T, expression, want string) {
	t.Helper()
	var got string
	check(t, v.Evaluate(v.ctx, `(async () => {`+helpers+` return String(`+expression+`); })()`, &got))
	if got != want {
		t.Errorf("%s: %q, want %q", expression, got, want)
	}
}

// does runs statements.
func (v *visited) does(t *testing.T, statements string) {
	t.Helper()
	check(t, v.Evaluate(v.ctx, `(async () => {`+helpers+statements+`; return 1; })()`, nil))
}

// reload loads the page again. The old one answers until it goes, and what it was asked
// fails then.
func (v *visited) reload(t *testing.T) {
	t.Helper()
	v.does(t, `document.body.dataset.old = "yes"; setTimeout(() => location.reload(), 0)`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithDeadline(v.ctx, end)
		var ready bool
		err := v.Evaluate(ctx, `document.body?.dataset.ready === "yes" && document.body.dataset.old !== "yes"`, &ready)
		cancel()
		if err == nil && ready {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the page does not come back: %v", err)
		}
	}
}

func managePage(ctx context.Context, t *testing.T, b browser.Browser, a *API) {
	v, s := visit(ctx, t, b, a)
	v.wants(t, `location.hash + location.search`, "") // the link is not in the history
	v.wants(t, `rows()`, "bank.example bob, github.com alice, gitlab.com zoe, shop.example carol")
	v.wants(t, `$("pin-state").textContent`, "PIN set, 8 tries left")

	v.does(t, `press(document.body, "/"); type("filter", "nothing <b>like</b> this")`)
	v.wants(t, `document.activeElement.id + seen("no-match") + $("query").textContent`, "filtertruenothing <b>like</b> this")
	v.does(t, `type("filter", "GIT")`)
	v.wants(t, `rows()`, "github.com alice, gitlab.com zoe")
	v.does(t, `press($("filter"), "Escape")`)
	v.does(t, `document.querySelector('[data-sort="user_name"] button').click(); document.querySelector('[data-sort="user_name"] button').click()`)
	v.wants(t, `rows()`, "gitlab.com zoe, shop.example carol, bank.example bob, github.com alice")

	v.does(t, `press($("grid"), "End"); press($("grid"), "Enter")`)
	v.wants(t, `$("details").open + $("details-title").textContent`, "truegithub.com")
	v.does(t, `$("details").close(); document.querySelector("[data-act=rename]").click(); type("rename-user", "alicia"); type("rename-pin", "wrong"); document.querySelector("#rename [type=submit]").click()`)
	v.wants(t, `await until(() => document.querySelector("#rename .trouble").textContent !== "") && $("rename-pin").value`, "")
	v.wants(t, `await until(() => $("pin-state").textContent === "PIN set, 7 tries left")`, "true")
	v.does(t, `type("rename-pin", "`+pin+`"); document.querySelector("#rename [type=submit]").click()`)
	v.wants(t, `await until(() => rows().includes("github.com alicia")) && !$("rename").open`, "true")

	v.does(t, `press($("grid"), "a", {ctrlKey: true}); press($("grid"), "Home"); press($("grid"), "ArrowDown", {shiftKey: true}); press($("grid"), "Delete")`)
	v.wants(t, `$("delete").open + $("delete-phrase").textContent + $("delete-do").disabled`, "truedelete 2 passkeystrue")
	v.does(t, `type("delete-typed", "Delete 2 passkeys"); type("delete-pin", "`+pin+`")`)
	v.wants(t, `$("delete-do").disabled`, "true")
	v.does(t, `type("delete-typed", "delete 2 passkeys"); $("delete-do").click()`)
	v.wants(t, `await until(() => !$("delete").open && rows() === "bank.example bob, github.com alicia") && $("delete-pin").value`, "")
	v.does(t, `$("show-history").click()`)
	v.wants(t, `await until(() => $("entries").textContent.includes("PIN wrong")) && [...document.querySelectorAll("#entries tr")].filter((r) => r.children[1].textContent === "deleted").length`, "2")

	v.reload(t)
	v.wants(t, `rows()`, "bank.example bob, github.com alicia")
	check(t, v.Close(ctx))
	gone, cancel := context.WithTimeout(ctx, 4*goneLimit)
	defer cancel()
	if err := s.Wait(gone); err != nil || gone.Err() != nil {
		t.Errorf("the tab is closed, and the server stays: %v", err)
	}
}

// manyRows holds that 5,000 passkeys are a few rows and a long runway.
func manyRows(ctx context.Context, t *testing.T, b browser.Browser) {
	const many = 5000
	l := &listing{}
	for i := range many {
		l.passkeys = append(l.passkeys, ctap.Passkey{CredentialID: fmt.Appendf(nil, "%d", i), RPID: fmt.Sprintf("site%04d.example", i), Created: 1})
	}
	v, _ := visit(ctx, t, b, apiOf(l))
	v.wants(t, `$("grid").getAttribute("aria-rowcount") + " " + (document.querySelectorAll("#rows .row").length < 60)`, "5001 true")
	v.does(t, `press($("grid"), "End")`)
	v.wants(t, `$("row-4999").getBoundingClientRect().bottom <= $("body").getBoundingClientRect().bottom + 1`, "true")
	v.does(t, `$("body").scrollTop = 2500 * $("row-4999").offsetHeight`)
	v.wants(t, `await until(() => $("row-2500")) && Math.abs($("row-2500").getBoundingClientRect().top - $("body").getBoundingClientRect().top) <= 1`, "true")
	check(t, v.Close(ctx))
}
