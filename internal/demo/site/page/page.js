// @ts-check
"use strict";

/**
 * What the site has learnt from a ceremony (type Receipt in site.go).
 * @typedef {{account: string, up: boolean, uv: boolean, be: boolean, bs: boolean, aaguid: string,
 *   counter: number, format?: string, attestation?: string}} Receipt
 */

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * Posts JSON to the site; its no becomes an Error.
 * @param {string} path
 * @param {unknown} [body]
 */
async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? null),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the site refuses: ${answer.error}`);
  return answer;
}

/**
 * @param {string} account
 * @returns {Promise<Receipt>}
 */
async function register(account) {
  const { publicKey } = await post(`register/begin?${new URLSearchParams({ account })}`);
  const made = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
  });
  return post("register/finish", /** @type {PublicKeyCredential} */ (made).toJSON());
}

/**
 * @param {Record<string, string>} whose an account, or discoverable
 * @returns {Promise<Receipt>}
 */
async function signIn(whose) {
  const { publicKey } = await post(`signin/begin?${new URLSearchParams(whose)}`);
  const got = await navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  });
  return post("signin/finish", /** @type {PublicKeyCredential} */ (got).toJSON());
}

/** @param {Receipt} receipt */
function show(receipt) {
  /** @type {Record<string, string>} */
  const facts = {
    account: receipt.account,
    up: receipt.up ? "yes" : "no",
    uv: receipt.uv ? "yes" : "no",
    be: receipt.be ? "yes" : "no",
    bs: receipt.bs ? "yes" : "no",
    aaguid: receipt.aaguid,
    counter: String(receipt.counter),
    attestation: receipt.format ? `${receipt.format}, ${receipt.attestation}` : "not part of signing in",
  };
  for (const cell of document.querySelectorAll("[data-fact]")) {
    cell.textContent = facts[cell.getAttribute("data-fact") ?? ""] ?? "";
  }
  element("receipt").hidden = false;
  element("meaning").textContent = receipt.be
    ? "This passkey may be copied to other machines through an account: whoever takes the account takes the passkey."
    : "This passkey says that it stays on one machine. Saying is not proving: only attestation by its maker would.";
}

/**
 * Runs a ceremony for a button, and says how it went.
 * @param {string} button
 * @param {string} done
 * @param {() => Promise<Receipt>} ceremony
 */
function offer(button, done, ceremony) {
  element(button).addEventListener("click", async () => {
    const status = element("status");
    status.textContent = "Waiting for you and your browser…";
    try {
      show(await ceremony());
      status.textContent = done;
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    }
  });
}

/** @returns {string} */
function account() {
  return /** @type {HTMLInputElement} */ (element("account")).value;
}

if (window.PublicKeyCredential && "parseCreationOptionsFromJSON" in PublicKeyCredential) {
  offer("register", "Registered.", () => register(account()));
  offer("signin", "Signed in.", () => signIn({ account: account() }));
  offer("discover", "Signed in.", () => signIn({ discoverable: "1" }));
} else {
  element("status").textContent = "This browser is too old: it does not read WebAuthn options as JSON.";
}
