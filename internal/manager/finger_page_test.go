//go:build e2e && linux

package manager

import (
	"context"
	"testing"

	"github.com/localpasskey/localpasskey/test/browser"
)

// useFingerPage is the page on a Mac: nothing asks for a PIN, nothing speaks of one.
func useFingerPage(ctx context.Context, t *testing.T, b browser.Browser) {
	api, s := newMac(t)
	v, _ := visit(ctx, t, b, api)
	v.wants(t, `await until(() => $("pin-state").textContent === "Touch ID") && rows()`, "example.com octocat")
	v.does(t, `$("show-settings").click()`)
	v.wants(t, `await until(() => $("setting-hardware").textContent.includes("Secure Enclave")) && seen("setting-pin") + "" + seen("change-min-pin") + seen("finger-card")`, "falsefalsefalse")
	v.does(t, `$("show-passkeys").click(); press($("grid"), "End"); press($("grid"), "Enter")`)
	v.wants(t, `$("facts").textContent.includes("without a finger the key signs for nobody") + "" + /TPM|PIN/.test($("facts").textContent)`, "truefalse")
	v.does(t, `$("details").close(); press($("grid"), "Delete")`)
	v.wants(t, `seen("delete-pin") + "" + $("delete-do").disabled`, "falsetrue")
	v.does(t, `type("delete-typed", "example.com")`)
	v.wants(t, `$("delete-do").disabled`, "false")
	s.refuse = true
	v.does(t, `$("delete-do").click()`)
	v.wants(t, `await until(() => document.querySelector("#delete .trouble").textContent !== "") && rows()`, "example.com octocat")
	s.refuse = false
	v.does(t, `$("delete-do").click()`)
	v.wants(t, `await until(() => !$("delete").open && rows() === "")`, "true")
	check(t, v.Close(ctx))
}
