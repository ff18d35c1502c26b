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
