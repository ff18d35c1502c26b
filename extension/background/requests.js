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
/** Ours: how many pages may wait for the one in front of the person. */
const maxWaiting = 8;

/** Frames with a ceremony under way. @type {Set<string>} */
const busy = new Set();
/** The ceremony in front of the person, and those behind it. @type {Promise<unknown>} */
let line = Promise.resolve();

/** @param {PageRequest} request @param {import("./caller.js").Caller} caller */
const questionOf = (request, caller) => ({
  op: request.op, origin: caller.origin, topOrigin: caller.topOrigin, crossOrigin: caller.topOrigin !== undefined,
  activated: request.context.activated, options: JSON.parse(request.options),
});

/** @param {host.Reply} reply @returns {Outcome} */
const outcomeOf = ({ answer }) => (answer?.result || answer?.error ? answer : toBrowser);

/**
 * Waits until nobody is in front, unless the page leaves before.
 * @param {AbortSignal} signal @param {() => Promise<Outcome>} serve @returns {Promise<Outcome>}
 */
function inLine(signal, serve) {
  const turn = line.then(() => (signal.aborted ? toBrowser : serve()));
  line = turn.catch(() => {});
  return turn;
}

/** @param {PageRequest} request @param {import("./caller.js").Caller} caller @param {AbortSignal} signal */
async function ceremony(request, caller, signal) {
  if (!request.context.visible) return toBrowser;
  if (busy.has(caller.frame)) return refusal("NotAllowedError", "A request is already pending.");
  if (busy.size > maxWaiting) return toBrowser;
  busy.add(caller.frame);
  try {
    const question = questionOf(request, caller), { timeout } = question.options;
    const limit = Math.min(most, Math.max(least, Number.isFinite(timeout) ? timeout : least)) + graceMilliseconds;
    return await inLine(signal, async () => outcomeOf(await host.ask(question, { limit, signal })));
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

/** @param {PageRequest} request @param {import("./caller.js").Caller} caller @param {AbortSignal} signal @returns {Promise<Outcome>} */
async function answer(request, caller, signal) {
  switch (request.op) {
    case "create": case "get": return ceremony(request, caller, signal);
    case "available": return available();
    case "signalUnknownCredential": case "signalAllAcceptedCredentials": case "signalCurrentUserDetails":
      return outcomeOf(await host.ask(questionOf(request, caller), { signal }));
    default: return toBrowser;
  }
}

/** @param {chrome.runtime.Port} port */
export function serve(port) {
  const left = new AbortController();
  port.onDisconnect.addListener(() => left.abort());
  port.onMessage.addListener(async (/** @type {PageRequest} */ request) => {
    const caller = callerOf(port.sender, request.context.crossOrigin);
    /** @type {Outcome} */
    let outcome = toBrowser;
    try {
      const wanted = caller && request.context.allowed && await settings.isWanted(caller.hosts, caller.privately);
      if (wanted) outcome = await answer(request, caller, left.signal);
    } catch (error) {
      console.error("LocalPasskey:", error); // in the extension's own console
    }
    if (!left.signal.aborted) port.postMessage(outcome);
  });
}
