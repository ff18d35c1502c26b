// @ts-check
"use strict";

// Carries requests from the page to the background and answers back. What the page says
// is passed on as a text; what the background has to know about the frame is asked of the
// browser here. What the page is allowed, the background and the host decide.
(() => {
  // Pages that never use passkeys pay for nothing here but one listener: the browser makes
  // its interfaces for extensions when they are first used.
  const api = () => globalThis.browser ?? globalThis.chrome;

  /** Ours. A page that asks for more at once, or says more, gets the browser's own function. */
  const maxOpen = 8, maxCharacters = 256 * 1024;
  let open = 0;

  /** The page's functions are another extension's, which cannot be replaced: the popup may ask. */
  const lockOut = () => api().runtime.onMessage.addListener((message, _, reply) => {
    if (message === "lockedOut") reply(true);
  });

  const isVisible = () => document.visibilityState === "visible";

  /** @param {string} op @returns {Promise<Context>} */
  const contextOf = async (op) => ({
    allowed: await isAllowed(op), crossOrigin: isCrossOrigin(),
    activated: navigator.userActivation?.isActive ?? false, visible: isVisible(),
  });

  /**
   * Asks the background; nothing comes of it when the page gives up.
   * @param {PageRequest} request @param {AbortSignal} left @returns {Promise<Outcome>}
   */
  const askBackground = (request, left) => new Promise((resolve) => {
    const port = api().runtime.connect({ name: "page" });
    left.addEventListener("abort", () => { port.disconnect(); resolve({ browser: true }); });
    port.onMessage.addListener((/** @type {Outcome & { look?: true }} */ message) => {
      if (message.look) {
        port.postMessage({ visible: isVisible() });
        return;
      }
      port.disconnect();
      resolve(message);
    });
    port.onDisconnect.addListener(() => { void api().runtime.lastError; resolve({ browser: true }); });
    port.postMessage(request);
  });

  /** @param {any} message @param {AbortSignal} left @returns {Promise<Outcome>} */
  async function forward(message, left) {
    if (message?.op === "lockedOut") lockOut();
    const op = message?.op, options = JSON.stringify(message?.options);
    if (typeof op !== "string" || options === undefined || options.length > maxCharacters) return { browser: true };
    const context = await contextOf(op);
    return left.aborted ? { browser: true } : askBackground({ op, options, context }, left);
  }

  /** @param {MessagePort} page @param {any} message */
  async function serve(page, message) {
    const left = new AbortController();
    page.onmessage = ({ data }) => { if (data?.op === "abort") left.abort(); };
    open++;
    try {
      page.postMessage(await forward(message, left.signal));
    } catch {
      page.postMessage({ browser: true });
    }
    open--;
    page.close();
  }

  window.addEventListener("message", (event) => {
    const page = event.ports[0];
    if (event.source !== window || event.data?.localpasskey !== 1 || !page) return;
    event.stopImmediatePropagation();
    // An extension that was reloaded has left this script behind, which reaches nobody any more.
    if (!api().runtime?.id || open >= maxOpen) {
      page.postMessage({ browser: true });
      return;
    }
    page.onmessage = ({ data }) => { serve(page, data); };
    page.postMessage({ ready: true });
  }, true);
})();
