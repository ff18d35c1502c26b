//go:build e2e && linux

package manager

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/inventory"
	"github.com/localpasskey/localpasskey/test/browser"
)

// errPulled is a daemon that is gone.
var errPulled = errors.New("the daemon has hung up")

func changeSettings(ctx context.Context, t *testing.T, b browser.Browser) {
	v, _ := visit(ctx, t, b, newDaemonOn(t, silentBus, "a.example alice"))
	v.does(t, `$("show-settings").click()`)
	v.wants(t, `await until(() => $("change-always-uv").textContent === "Turn off…") && seen("tools")`, "false")
	v.wants(t, `$("setting-pin").textContent + $("setting-min-pin").textContent + ($("setting-hardware").textContent.length > 10)`, "Set. 8 tries left.4 characters.true")

	v.does(t, `$("change-always-uv").click(); type("configure-pin", "wrong"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => document.querySelector("#configure .trouble").textContent !== "") && $("configure-pin").value + document.querySelector("#configure .trouble").textContent.includes("PIN_INVALID")`, "true")
	v.does(t, `type("configure-pin", "`+pin+`"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => $("change-always-uv").textContent === "Turn on…") && !$("configure").open`, "true")
	v.does(t, `$("min-pin").value = "3"; $("change-min-pin").click(); type("configure-pin", "`+pin+`"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => document.querySelector("#configure .trouble").textContent.includes("4 to 63"))`, "true")
	v.does(t, `$("configure").close(); $("min-pin").value = "13"; $("change-min-pin").click(); type("configure-pin", "`+pin+`"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => $("setting-min-pin").textContent === "13 characters.") && $("min-pin").min`, "13")
	v.wants(t, `$("setting-finger").textContent + seen("finger-trouble") + $("change-finger").textContent`, "Off: the PIN is typed each time.falseTurn on…")
	v.does(t, `$("change-finger").click(); type("configure-pin", "`+pin+`"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => $("setting-finger").textContent.startsWith("On: for 8 h ")) && seen("finger-trouble") && $("finger-trouble").textContent.includes("fprintd does not answer")`, "true")
	v.does(t, `$("change-finger").click(); type("configure-pin", "`+pin+`"); document.querySelector("#configure [type=submit]").click()`)
	v.wants(t, `await until(() => $("change-finger").textContent === "Turn on…") && seen("finger-trouble")`, "false")
	v.does(t, `$("show-history").click()`)
	v.wants(t, `await until(() => [...document.querySelectorAll("#entries tr")].filter((r) => r.children[1].textContent === "settings changed").length === 4)`, "true")
	check(t, v.Close(ctx))
}

func hideAndBringBack(ctx context.Context, t *testing.T, b browser.Browser) {
	v, _ := visit(ctx, t, b, newDaemon(t, "a.example alice", "b.example bob", "c.example carol"))
	v.wants(t, `seen("which")`, "false")
	v.does(t, `press($("grid"), "Home"); press($("grid"), "ArrowDown", {shiftKey: true}); document.querySelector("[data-act=hide]").click()`)
	v.wants(t, `await until(() => rows() === "c.example carol") && $("toast").textContent`, "Hidden: 2 passkeys")
	v.does(t, `$("undo").click()`)
	v.wants(t, `await until(() => rows().startsWith("a.example alice, b.example bob")) && seen("which")`, "false")
	v.does(t, `press($("grid"), "Home"); document.querySelector("[data-act=hide]").click()`)
	v.wants(t, `await until(() => seen("which")) && $("which").selectedOptions[0].textContent`, "All")
	v.does(t, `$("which").value = "hidden"; $("which").dispatchEvent(new Event("change"))`)
	v.wants(t, `rows() + $("count").textContent`, "a.example alice1 passkey")
	v.does(t, `press($("grid"), "Home"); press($("grid"), "Enter")`)
	v.wants(t, `$("facts").textContent.includes("HiddenYes: the service") && document.querySelector("[data-act=hide]").textContent`, "Bring back")
	v.does(t, `$("details").close(); document.querySelector("[data-act=hide]").click()`)
	v.wants(t, `await until(() => rows() === "a.example alice, b.example bob, c.example carol") && seen("which")`, "false")
	check(t, v.Close(ctx))
}

func comparePage(ctx context.Context, t *testing.T, b browser.Browser) {
	a := newDaemon(t, "a.example alice", "b.example bob")
	c, hangUp, err := a.Dial(ctx)
	check(t, err)
	all, err := ctap.ReadPasskeys(ctx, c)
	check(t, err)
	check(t, hangUp())
	all[1] = ctap.Passkey{RPID: "z.example", User: ctap.User{ID: []byte("z"), Name: "zoe <b>"}, Created: 1}
	list, err := json.Marshal(inventory.Of("desk\u202etop", all, time.Unix(1_760_000_000, 0)))
	check(t, err)

	v, _ := visit(ctx, t, b, a)
	choose := func(content string) {
		t.Helper()
		text, err := json.Marshal(content)
		check(t, err)
		v.does(t, `const given = new DataTransfer(); given.items.add(new File([`+string(text)+`], "list.json"));
			$("compare-file").files = given.files; $("compare-file").dispatchEvent(new Event("change"))`)
	}
	choose(`{"format": "another"}`)
	v.wants(t, `await until(() => $("trouble").textContent.includes("cannot be read")) && seen("compared")`, "false")
	choose(string(list))
	v.wants(t, `await until(() => seen("compared")) && $("compared-text").textContent.replace(/\(.*\)/, "")`,
		"Compared with desktop : 1 account has a passkey only here, 1 only there.")
	v.does(t, `$("which").value = "here"; $("which").dispatchEvent(new Event("change"))`)
	v.wants(t, `rows() + $("which").selectedOptions[0].textContent`, "b.example bobOnly here (1)")
	v.does(t, `$("compared-there").click()`)
	v.wants(t, `$("there").open + $("there-list").textContent`, "truez.example: zoe <b>")
	v.does(t, `$("there").close(); $("compared-end").click()`)
	v.wants(t, `rows() + seen("compared")`, "a.example alice, b.example bobfalse")
	check(t, v.Close(ctx))
}

// actOnOne opens, copies and looks closely.
func actOnOne(ctx context.Context, t *testing.T, b browser.Browser) {
	v, _ := visit(ctx, t, b, newDaemon(t, "a.example alice", "ssh: root"))
	v.does(t, `window.open = (...args) => { window.opened = args.join(" "); return null; }; press($("grid"), "Home"); document.querySelector("[data-act=open]").click()`)
	v.wants(t, `window.opened`, "https://a.example _blank noopener,noreferrer")
	v.does(t, `window.copied = []; navigator.clipboard.writeText = async (text) => { window.copied.push(text); };
		document.querySelector("[data-act=copy-user]").click(); document.querySelector("[data-act=copy-service]").click(); press($("grid"), "c", {ctrlKey: true})`)
	v.wants(t, `await until(() => window.copied.length === 3) && window.copied.join(" ") + " " + $("toast").textContent`, "alice a.example a.example Copied a.example")
	v.does(t, `press($("grid"), "Enter")`)
	v.wants(t, `[...document.querySelectorAll("#facts dt")].map((e) => e.textContent).join(", ")`,
		"User name, Display name, Service calls itself, Created, Last used, Uses, Kind, Where the key lives, PIN, Extensions in use, Encrypts data, As the site sees it, credProtect, Algorithm, AAGUID, Credential ID")
	v.wants(t, `$("facts").textContent.includes("BE=0 BS=0 (device-bound, not synced)") && $("facts").textContent.includes("Enforced by the TPM")`, "true")
	v.does(t, `$("details").close(); press($("grid"), "End")`)
	v.wants(t, `document.querySelector("[data-act=open]").disabled`, "true") // ssh: is no web site
	check(t, v.Close(ctx))
}

// useKeyboard needs no mouse.
func useKeyboard(ctx context.Context, t *testing.T, b browser.Browser) {
	v, _ := visit(ctx, t, b, newDaemon(t, "a.example alice", "b.example bob", "c.example carol"))
	v.wants(t, `document.activeElement.id + $("grid").getAttribute("aria-activedescendant")`, "gridrow-0")
	v.does(t, `press($("grid"), "f", {ctrlKey: true})`)
	v.wants(t, `document.activeElement.id`, "filter")
	v.does(t, `type("filter", "b."); press($("filter"), "ArrowDown")`)
	v.wants(t, `document.activeElement.id + $("picked").textContent + rows()`, "grid1 passkeyb.example bob")
	v.does(t, `$("filter").focus(); press($("filter"), "Escape")`)
	v.wants(t, `$("filter").value + rows().split(",").length`, "3")
	v.does(t, `press($("grid"), "Home"); press($("grid"), "ArrowDown"); press($("grid"), " ")`)
	v.wants(t, `seen("actions")`, "false") // what Space has taken off
	v.does(t, `press($("grid"), " "); press($("grid"), "ArrowDown", {shiftKey: true})`)
	v.wants(t, `$("picked").textContent`, "2 passkeys")
	v.does(t, `const before = document.querySelector("#rows .row"); window.dispatchEvent(new Event("focus")); await until(() => document.querySelector("#rows .row") !== before); await new Promise((f) => setTimeout(f, 200))`)
	v.wants(t, `$("picked").textContent + $("grid").getAttribute("aria-activedescendant")`, "2 passkeysrow-2")
	v.does(t, `press($("grid"), "Escape")`)
	v.wants(t, `seen("actions")`, "false")
	v.does(t, `press($("grid"), "Enter")`)
	v.wants(t, `$("details").open + $("details-title").textContent`, "truec.example")
	v.does(t, `$("details").close(); press($("grid"), "Delete")`)
	v.wants(t, `$("delete").open + document.activeElement.id`, "truedelete-typed")
	check(t, v.Close(ctx))
}

// meetTrouble has passkeys deleted elsewhere and a daemon that goes away.
func meetTrouble(ctx context.Context, t *testing.T, b browser.Browser) {
	a := newDaemon(t, "a.example alice", "b.example bob", "c.example carol")
	_, ids := a.names(t)
	dial := a.Dial
	v, _ := visit(ctx, t, b, a)

	// Deleted elsewhere, while the page still shows it.
	var gone Deleted
	if refused := a.ask(t, "delete", DeleteRequest{IDs: ids[:1], Typed: "a.example", PIN: []byte(pin)}, &gone); refused != "" {
		t.Fatal(refused)
	}
	v.does(t, `press($("grid"), "Home"); document.querySelector("[data-act=rename]").click(); type("rename-user", "x"); type("rename-pin", "`+pin+`"); document.querySelector("#rename [type=submit]").click()`)
	v.wants(t, `await until(() => document.querySelector("#rename .trouble").textContent.includes("NO_CREDENTIALS")) && $("rename-user").value`, "x")
	v.does(t, `$("rename").close(); window.dispatchEvent(new Event("focus"))`) // the window comes to the front
	v.wants(t, `await until(() => rows() === "b.example bob, c.example carol")`, "true")

	// The daemon goes when one of two is deleted: the page says which are gone.
	a.Dial = func(ctx context.Context) (ctap.Authenticator, func() error, error) {
		c, hangUp, err := dial(ctx)
		return &failing{Authenticator: c, after: 1}, hangUp, err
	}
	v.does(t, `press($("grid"), "a", {ctrlKey: true}); press($("grid"), "Delete"); type("delete-typed", "delete 2 passkeys"); type("delete-pin", "`+pin+`"); $("delete-do").click()`)
	v.wants(t, `await until(() => $("toast").textContent.startsWith("Deleted 1 of 2: ")) && $("toast").textContent.includes("hung up")`, "true")
	v.wants(t, `await until(() => rows() === "c.example carol")`, "true")

	// It is away altogether, and comes back.
	a.Dial = func(context.Context) (ctap.Authenticator, func() error, error) { return nil, nil, errPulled }
	v.does(t, `window.dispatchEvent(new Event("focus"))`)
	v.wants(t, `await until(() => $("trouble").textContent.includes("hung up")) && rows()`, "c.example carol")
	a.Dial = dial
	v.does(t, `window.dispatchEvent(new Event("focus"))`)
	v.wants(t, `await until(() => !seen("trouble"))`, "true")
	check(t, v.Close(ctx))
}

// failing is a daemon that goes after so many deletions.
type failing struct {
	ctap.Authenticator

	after int
}

func (f *failing) CredentialManagement(ctx context.Context, req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	if f.after--; f.after < 0 {
		return nil, errPulled
	}
	return f.Authenticator.CredentialManagement(ctx, req)
}

// showNames has names that would like to be something else.
func showNames(ctx context.Context, t *testing.T, b browser.Browser) {
	emoji := strings.Repeat("🦊", 16) // 64 bytes
	v, _ := visit(ctx, t, b, newDaemon(t, "a.example "+emoji, "b.example <img src=x onerror=alert(1)>", "c.example al\u202eice\n", "d.example"))
	v.wants(t, `rows()`, "a.example "+emoji+", b.example <img src=x onerror=alert(1)>, c.example alice, d.example ")
	v.wants(t, `document.querySelectorAll("#rows img").length`, "0")
	v.wants(t, `[...document.querySelectorAll("#rows .row")].every((r) => r.offsetHeight === document.querySelector("#rows .row").offsetHeight)`, "true")
	v.does(t, `press($("grid"), "ArrowDown"); press($("grid"), "Delete")`)
	v.wants(t, `$("delete-list").textContent + $("delete-list").querySelectorAll("img").length`, "b.example: <img src=x onerror=alert(1)>0")
	check(t, v.Close(ctx))
}
