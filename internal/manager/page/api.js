// @ts-check

/**
 * What the Go side tells of a passkey (type Passkey in show.go). Times are Unix seconds.
 * @typedef {{id: string, service: string, url?: string, calls_itself?: string, user_name: string,
 *   display_name: string, created: number, last_used: number, uses: number, sign_count: number,
 *   discoverable: boolean, pin_bound: boolean, encrypts: boolean, cred_protect: number,
 *   aaguid: string, algorithm: string, flags: string, hidden: boolean, extensions: string[]}} Passkey
 */

/**
 * @typedef {{error: string, hint?: string}} Refusal
 * @typedef {{version: string, set_up: boolean, pin_set: boolean, retries: number,
 *   reinsert: boolean, finger: boolean, compares: boolean, hardware: string, problem?: Refusal}} State
 * @typedef {{sequence: number, time: number, event: string, service: string, account: string,
 *   detail: string, asked_by: string}} Entry
 * @typedef {{always_uv: boolean, min_pin_length: number, force_pin_change: boolean, fingers?: Fingers}} Settings
 * @typedef {{span: string, trouble: string, hint: string}} Fingers
 * @typedef {{device: string, exported: number, here: string[], there: {service: string, user_name: string}[]}} Compared
 * @typedef {{entries: Entry[], gone: number, broken?: number, why?: string}} History
 */

// The key outlives a reload of this tab, and no other page can read it.
const keyName = "localpasskey-key";

/** A call that was refused, in words for the person. */
export class Refused extends Error {
  /** @param {Refusal} refusal */
  constructor(refusal) {
    super(refusal.error);
    this.hint = refusal.hint ?? "";
  }
}

/** Exchanges the link's token, if there is one, for this tab's session. */
export async function begin() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", "/"); // out of the address bar, and out of the history
  const answer = await fetch("/session", { method: "POST", body: token });
  if (answer.ok) sessionStorage.setItem(keyName, await answer.text());
}

/** @returns {Record<string, string>} */
function headers() {
  return { "Localpasskey-Key": sessionStorage.getItem(keyName) ?? "" };
}

const ended = { error: "This page has ended", hint: "run `localpasskey manage` again" };

/**
 * Calls the Go side.
 * @param {string} name
 * @param {object} [request]
 * @returns {Promise<any>}
 */
export async function call(name, request) {
  let answer;
  try {
    answer = await fetch(`/api/${name}`, {
      method: "POST", headers: headers(), body: request ? JSON.stringify(request) : "",
    });
  } catch {
    throw new Refused(ended);
  }
  if (answer.status === 401) throw new Refused(ended);
  const body = await answer.json();
  if (!answer.ok) throw new Refused(body);
  return body;
}

/**
 * Tells the Go side that this page is here, for as long as it is.
 * @param {() => void} gone called when the Go side has ended
 */
export async function watch(gone) {
  try {
    const answer = await fetch("/watch", { method: "POST", headers: headers() });
    if (!answer.ok) return;
    await answer.text(); // it never comes, but its end does
  } catch {
    // The program has ended; so it is told below.
  }
  gone();
}

/**
 * A PIN goes as bytes, which the Go side can wipe.
 * @param {string} pin
 */
export function pinBytes(pin) {
  let text = "";
  for (const byte of new TextEncoder().encode(pin)) text += String.fromCharCode(byte);
  return btoa(text);
}
