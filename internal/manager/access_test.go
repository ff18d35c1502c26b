//go:build e2e && linux

package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/test/browser"
)

const (
	// screenshots names a directory for pictures of the page, where wanted.
	screenshots = "LOCALPASSKEY_SCREENSHOTS"
	// axe is the checker of accessibility, which `make e2e` has npm install.
	axe = "../../test/npm/node_modules/axe-core/axe.min.js"
)

// aspect is a state of the page that is checked and has its picture taken.
type aspect struct {
	name, reach string
}

// aspects lead from one to the next.
func aspects() []aspect {
	return []aspect{
		{"light", `press($("grid"), "Home")`},
		{"details", `press($("grid"), "Enter")`},
		{"no-match", `$("details").close(); type("filter", "nothing like this")`},
		{"delete", `type("filter", ""); press($("grid"), "Home"); press($("grid"), "ArrowDown", {shiftKey: true}); press($("grid"), "Delete"); type("delete-typed", "delete 2 passkeys")`},
		{"rename", `$("delete").close(); press($("grid"), "Home"); document.querySelector("[data-act=rename]").click()`},
		{"compare", `$("rename").close(); const given = new DataTransfer(); given.items.add(new File([list], "list.json"));
			$("compare-file").files = given.files; $("compare-file").dispatchEvent(new Event("change")); await until(() => seen("compared"));
			$("which").value = "here"; $("which").dispatchEvent(new Event("change"))`},
		{"history", `$("compared-end").click(); $("show-history").click(); await until(() => $("entries").children.length > 3)`},
		{"settings", `$("show-settings").click(); await until(() => $("setting-hardware").textContent !== "")`},
		{"configure", `$("change-always-uv").click()`},
	}
}

// checkAccess holds each state of the page, light, dark and on a narrow screen, to what
// axe-core checks, and to having nothing beyond its edge. It leaves pictures where wanted.
func checkAccess(ctx context.Context, t *testing.T, b *browser.Chromium) {
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatalf("axe-core is not installed: %v (`make e2e` does it)", err)
	}
	a := newDaemonOn(t, silentBus, "github.com alice", "bank.example bob", "accounts.shop.example carol@mail.example", "gitlab.com alice", "mail.example alice", "ssh: alice")
	if refused := a.ask(t, "configure", ConfigureRequest{Setting: "fingerprint", Value: "on", PIN: []byte(pin)}, nil); refused != "" {
		t.Fatal(refused)
	}
	const list = `{"format":"localpasskey inventory","version":1,"device":"desktop","exported":"2026-01-02T03:04:05Z","passkeys":[]}`
	for name, look := range map[string]browser.Look{
		"": {Width: 1100, Height: 640}, "dark": {Width: 1100, Height: 640, Dark: true}, "360": {Width: 360, Height: 740},
	} {
		v, _ := visit(ctx, t, b, a)
		check(t, v.Page.(browser.Dressable).Look(ctx, look))
		check(t, v.Evaluate(ctx, fmt.Sprintf("(window.list = %q, 1)", list), nil))
		check(t, v.Evaluate(ctx, "(() => {"+string(source)+"})()", nil))
		for _, s := range aspects() {
			v.does(t, s.reach)
			v.look(t, strings.Trim(name+" "+s.name, " "))
		}
		check(t, v.Close(ctx))
	}
	v, _ := visit(ctx, t, b, apiOf(&listing{}))
	check(t, v.Page.(browser.Dressable).Look(ctx, browser.Look{Width: 1100, Height: 640}))
	check(t, v.Evaluate(ctx, "(() => {"+string(source)+"})()", nil))
	v.look(t, "empty")
	check(t, v.Close(ctx))
}

// look checks what is shown now.
func (v *visited) look(t *testing.T, name string) {
	t.Helper()
	var got struct {
		Violations []string
		Passes     int
		Over       int // CSS pixels beyond the edge
	}
	check(t, v.Evaluate(v.ctx, `(async () => {
		await new Promise((f) => setTimeout(f, 250)); // transitions
		const result = await axe.run(document, { resultTypes: ["violations"] });
		const told = result.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary));
		return { violations: told, passes: result.passes.length, over: document.documentElement.scrollWidth - innerWidth };
	})()`, &got))
	for _, violation := range got.Violations {
		t.Errorf("%s: %s", name, violation)
	}
	if got.Passes == 0 || got.Over > 0 {
		t.Errorf("%s: axe has checked %d rules, the page is %d pixels too wide", name, got.Passes, got.Over)
	}
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	picture, err := v.Screenshot(v.ctx)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "manage-"+strings.ReplaceAll(name, " ", "-")+".png"), picture, 0o600))
}

// measure prints how long 5,000 passkeys take. The times are for people: what is held is
// that there are that many.
func measure(ctx context.Context, t *testing.T, b *browser.Chromium) {
	const many, usableLimit, filterLimit = 5000, 300.0, 50.0
	l := &listing{}
	for i := range many {
		l.passkeys = append(l.passkeys, ctap.Passkey{
			CredentialID: fmt.Appendf(nil, "%d", i), RPID: fmt.Sprintf("site%04d.example", i*7919%many), Created: int64(i + 1),
			User: ctap.User{Name: fmt.Sprintf("user%d@mail%d.example", i, i%50)},
		})
	}
	v, _ := visit(ctx, t, b, apiOf(l))
	var got struct {
		Shown                 string
		Usable, Filter, Worst float64 // milliseconds
	}
	check(t, v.Evaluate(ctx, `(async () => {`+helpers+`
		const painted = () => new Promise((f) => requestAnimationFrame(() => setTimeout(f, 0)));
		// From the list's last byte until it is on the screen.
		const usable = [];
		for (let i = 0; i < 5; i++) {
			performance.clearResourceTimings();
			window.dispatchEvent(new Event("focus"));
			await until(() => performance.getEntriesByName(location.origin + "/api/passkeys").length > 0);
			await painted();
			usable.push(performance.now() - performance.getEntriesByName(location.origin + "/api/passkeys")[0].responseEnd);
		}
		const filter = [];
		for (const text of ["s", "si", "sit", "site", "site1", "site12", "site1", "", "user4", "mail7", "nothing", ""]) {
			const began = performance.now();
			type("filter", text);
			document.body.offsetHeight; // the layout is part of it
			filter.push(performance.now() - began);
			await painted();
		}
		const middle = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
		return { shown: $("count").textContent, usable: middle(usable), filter: middle(filter), worst: Math.max(...filter) };
	})()`, &got))
	if got.Shown != "5,000 passkeys" {
		t.Errorf("the page counts %q", got.Shown)
	}
	verdict := func(took, limit float64) string {
		if took < limit {
			return "MET"
		}
		return "NOT MET"
	}
	t.Logf("5,000 passkeys: usable %.0f ms after the answer (aim %.0f: %s); filter per key press %.1f ms, worst %.1f (aim %.0f: %s)",
		got.Usable, usableLimit, verdict(got.Usable, usableLimit), got.Filter, got.Worst, filterLimit, verdict(got.Worst, filterLimit))
	check(t, v.Close(ctx))
}
