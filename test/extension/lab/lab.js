// @ts-check
"use strict";

// Runs in the pages of the test's site. What it gives is plain, for the test to read.
(() => {
  const bytes = (/** @type {number} */ n) => new Uint8Array(n).fill(7);
  /** @param {any} more */
  const creation = (more) => ({
    rp: { name: "Lab" }, user: { id: bytes(16), name: "alice", displayName: "Alice" }, challenge: bytes(32),
    pubKeyCredParams: [{ type: "public-key", alg: -7 }], ...more,
  });
  /** @param {any} more */
  const request = (more) => ({ challenge: bytes(32), ...more });
  /** @type {any} */
  const lab = globalThis.lab = {
    bytes, creation, request,
    /** Whose answer it is, or the exception. @param {() => Promise<any>} call */
    async told(call) {
      try {
        const got = await call();
        return got.id === "b3Vycw" ? "ours" : `browser: ${got.authenticatorAttachment}`;
      } catch (error) {
        return error instanceof Error || error instanceof DOMException ? error.name : `thrown: ${error}`;
      }
    },
    create: (more = {}, beside = {}) => lab.told(() => navigator.credentials.create({ publicKey: creation(more), ...beside })),
    get: (more = {}, beside = {}) => lab.told(() => navigator.credentials.get({ publicKey: request(more), ...beside })),
    /** The credential's ID. */
    id: () => navigator.credentials.get({ publicKey: request({}) }).then((/** @type {any} */ c) => c.id),
    /** What comes of a call that may never end. @param {() => Promise<any>} call */
    within: (call) => Promise.race([call(), new Promise((done) => setTimeout(() => done("waits"), 2000))]),
    /** Has a window without scripts of its own do it. @param {any} window */
    inWindow: (window) => lab.told(() => window.navigator.credentials.create({ publicKey: creation({}) })),
    /** Speaks to the relay as the extension's own script does. @param {any} hello @param {any} first @param {Window} [to] */
    forge: (hello, first, to = window) => new Promise((done) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => (data.ready ? port1.postMessage(first) : done(data));
      to.postMessage(hello, "*", [port2]);
    }),
    forgeParent: () => Promise.race([
      lab.forge({ localpasskey: 1 }, { op: "create", options: {} }, parent).then(() => "answered"),
      new Promise((done) => setTimeout(() => done("silence"), 1500)),
    ]),
    /** @param {Record<string, string>} attributes @returns {Promise<HTMLIFrameElement>} */
    frame(attributes) {
      const frame = document.createElement("iframe");
      for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value);
      return new Promise((done) => {
        frame.addEventListener("load", () => done(frame));
        document.body.append(frame);
      });
    },
    /** Has the script in a frame do something, which may be another site's. @param {HTMLIFrameElement} frame @param {string} what @param {any} more */
    inFrame: (frame, what, more = {}) => new Promise((done) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => done(data);
      frame.contentWindow?.postMessage({ lab: what, more }, "*", [port2]);
    }),
  };
  addEventListener("message", async ({ data, ports }) => {
    if (data?.lab) ports[0].postMessage(await lab[data.lab](data.more));
  });
})();
