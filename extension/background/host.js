// @ts-check

// Talks to localpasskey-browser, the program on this machine that the browser starts for
// us. One question at a time goes through a port; a port that has answered waits a while
// for the next question, which spares starting the program again. Hanging up is how a
// question is withdrawn: the program then closes its prompt.

const api = globalThis.browser ?? globalThis.chrome;

const program = "localpasskey.browser";
/** Of the messages. */
const protocol = 1;

/** Ours: how long the program has for its first word, and a port for its next question; how many wait for one. */
const firstWordMilliseconds = 10_000, idleMilliseconds = 20_000, maxIdle = 2;

/** @type {Set<chrome.runtime.Port>} */
const idle = new Set();

/** @returns {chrome.runtime.Port} */
function take() {
  for (const port of idle) {
    idle.delete(port);
    return port;
  }
  const port = api.runtime.connectNative(program);
  port.onDisconnect.addListener(() => idle.delete(port));
  return port;
}

/** @param {chrome.runtime.Port} port */
function rest(port) {
  if (idle.size >= maxIdle) {
    port.disconnect();
    return;
  }
  idle.add(port);
  setTimeout(() => { if (idle.delete(port)) port.disconnect(); }, idleMilliseconds);
}

/**
 * What became of a question: the program's answer, or why there is none.
 * @typedef {{ answer?: any, problem?: string }} Reply
 */

/**
 * Asks the program. Its first word says that it has taken the question on, or is the answer;
 * from then on it has all the time that limit leaves.
 * @param {object} question @param {{ limit?: number, signal?: AbortSignal }} [options] limit in milliseconds
 * @returns {Promise<Reply>}
 */
export function ask(question, { limit = 0, signal } = {}) {
  return new Promise((resolve) => {
    const port = take();
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    /** @param {Reply} reply @param {boolean} reusable */
    const end = (reply, reusable) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", withdraw);
      port.onMessage.removeListener(hear);
      port.onDisconnect.removeListener(lost);
      if (reusable) rest(port); else port.disconnect();
      resolve(reply);
    };
    const withdraw = () => end({ problem: "withdrawn" }, false);
    const lost = (/** @type {any} */ gone) => end({ problem: gone.error?.message ?? api.runtime.lastError?.message ?? "the program has ended" }, false);
    const hear = (/** @type {any} */ message) => {
      if (message?.protocol !== protocol) return end({ problem: "the program speaks another version" }, false);
      if (message.asking !== true) return end({ answer: message }, true);
      clearTimeout(timer);
      timer = setTimeout(() => end({ problem: "the program does not answer" }, false), limit);
      return undefined;
    };
    if (signal?.aborted) return end({ problem: "withdrawn" }, true);
    timer = setTimeout(() => end({ problem: "the program does not answer" }, false), firstWordMilliseconds);
    signal?.addEventListener("abort", withdraw);
    port.onMessage.addListener(hear);
    port.onDisconnect.addListener(lost);
    port.postMessage({ protocol, ...question });
    return undefined;
  });
}
