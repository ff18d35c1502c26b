// @ts-check

// Serves the requests of pages: whose they are and whether the person wants us there, then
// the program, or the browser's own function.

import { callerOf } from "./caller.js";
import * as host from "./host.js";
import * as settings from "./settings.js";

/** @type {Outcome} */
const toBrowser = { browser: true };
/** @param {string} name @param {string} message @returns {Outcome} */
const refusal = (name, message) => ({ error: { name, message } });

/** From the specification (§15.1): a person gets 5 to 10 minutes, whatever the page says. */
const least = 300_000, most = 600_000;
/** Ours: the program keeps to the limit itself; this is for one that has died standing up. */
const graceMilliseconds = 5_000;
/** Ours: how many may wait for the one in front. */
const maxWaiting = 8;

/** Frames with a ceremony under way. @type {Set<string>} */
const busy = new Set();
/** The ceremony in front of the person and those behind it; and what pages signal. */
const ceremonies = lineOf(maxWaiting), signals = lineOf(maxWaiting);

/** @param {PageRequest} request @param {import("./caller.js").Caller} caller */
const questionOf = (request, caller) => ({
  op: request.op, origin: caller.origin, topOrigin: caller.topOrigin, crossOrigin: caller.topOrigin !== undefined,
  activated: request.context.activated, options: JSON.parse(request.options),
});

/** @param {host.Reply} reply @returns {Outcome} */
const outcomeOf = ({ answer }) => (answer?.result || answer?.error ? answer : toBrowser);

/** @param {AbortSignal} signal @returns {Promise<Outcome>} */
const leaving = (signal) => new Promise((resolve) => {
  if (signal.aborted) resolve(toBrowser);
  signal.addEventListener("abort", () => resolve(toBrowser));
});

/**
 * One after the other: each is served when nobody is in front, and told whether it has
 * waited for that. Who leaves is gone at once; who finds too many waiting is not served.
 * @param {number} most
 */
function lineOf(most) {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  let here = 0;
  /** @param {AbortSignal} signal @param {(waited: boolean) => Promise<Outcome>} serve @returns {Promise<Outcome>} */
  return async (signal, serve) => {
    if (here > most) return toBrowser;
    const waited = here++ > 0;
    const turn = last.then(() => (signal.aborted ? toBrowser : serve(waited)));
    last = turn.catch(() => {});
    try {
      return await Promise.race([turn, leaving(signal)]);
    } finally {
      here--;
    }
  };
}

/**
 * @param {PageRequest} request @param {import("./caller.js").Caller} caller
 * @param {AbortSignal} signal @param {() => Promise<boolean>} isSeen
 */
async function ceremony(request, caller, signal, isSeen) {
  if (!request.context.visible) return toBrowser;
  if (busy.has(caller.frame)) return refusal("NotAllowedError", "A request is already pending.");
  busy.add(caller.frame);
  try {
    const question = questionOf(request, caller), { timeout } = question.options;
    const limit = Math.min(most, Math.max(least, Number.isFinite(timeout) ? timeout : least)) + graceMilliseconds;
    return await ceremonies(signal, async (waited) => {
      if (waited && !await isSeen()) return toBrowser; // the person has turned to another page meanwhile
      return outcomeOf(await host.ask(question, { limit, signal }));
    });
  } finally {
    busy.delete(caller.frame);
  }
}

/** Pages ask this often, and it changes rarely. */
const availableMilliseconds = 10_000;
/** @type {{ until: number, told: Promise<host.Reply> } | undefined} */
let status;

/** @returns {Promise<Outcome>} */
async function available() {
  if (!status || status.until < Date.now()) status = { until: Date.now() + availableMilliseconds, told: host.ask({ op: "status" }) };
  const { answer } = await status.told;
  return { result: { available: answer?.result?.ready === true } };
}

/**
 * @param {PageRequest} request @param {import("./caller.js").Caller} caller
 * @param {AbortSignal} signal @param {() => Promise<boolean>} isSeen @returns {Promise<Outcome>}
 */
async function answer(request, caller, signal, isSeen) {
  switch (request.op) {
    case "create": case "get": return ceremony(request, caller, signal, isSeen);
    case "available": return available();
    case "signalUnknownCredential": case "signalAllAcceptedCredentials": case "signalCurrentUserDetails":
      return signals(signal, async () => outcomeOf(await host.ask(questionOf(request, caller), { signal })));
    default: return toBrowser;
  }
}

/** Asks the relay whether the page is to be seen now. @param {chrome.runtime.Port} port @param {AbortSignal} signal @returns {Promise<boolean>} */
const seen = (port, signal) => new Promise((resolve) => {
  signal.addEventListener("abort", () => resolve(false));
  port.onMessage.addListener(({ visible }) => resolve(visible === true));
  port.postMessage({ look: true });
});

/** @param {chrome.runtime.Port} port */
export function serve(port) {
  const left = new AbortController();
  let asked = false;
  port.onDisconnect.addListener(() => left.abort());
  port.onMessage.addListener(async (/** @type {PageRequest} */ request) => {
    if (asked) return; // seen hears the rest
    asked = true;
    const caller = callerOf(port.sender, request.context.crossOrigin);
    /** @type {Outcome} */
    let outcome = toBrowser;
    try {
      const wanted = caller && request.context.allowed && await settings.isWanted(caller.hosts, caller.privately);
      if (wanted) outcome = await answer(request, caller, left.signal, () => seen(port, left.signal));
    } catch (error) {
      console.error("LocalPasskey:", error); // in the extension's own console
    }
    if (!left.signal.aborted) port.postMessage(outcome);
  });
}
