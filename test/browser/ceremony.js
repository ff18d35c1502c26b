// @ts-check
"use strict";

// Runs in the page of internal/demo/site, whose post() it uses.
(() => {
  let controller = new AbortController();

  /**
   * Tells how a ceremony went: what the site has learnt, or whose no it was.
   * @param {(signal: AbortSignal) => Promise<object>} steps
   */
  async function attempt(steps) {
    controller = new AbortController();
    try {
      return await steps(controller.signal);
    } catch (error) {
      return { error: error.name, message: error.message };
    }
  }

  globalThis.ceremony = {
    /** @param {Record<string, string>} query */
    register: (query) => attempt(async (signal) => {
      const { publicKey } = await post(`register/begin?${new URLSearchParams(query)}`);
      const made = await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), signal,
      });
      return {
        receipt: await post("register/finish", made.toJSON()),
        transports: made.response.getTransports(),
        attachment: made.authenticatorAttachment,
      };
    }),
    /** @param {Record<string, string>} query */
    signIn: (query) => attempt(async (signal) => {
      const { publicKey } = await post(`signin/begin?${new URLSearchParams(query)}`);
      const got = await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey), signal,
      });
      return { receipt: await post("signin/finish", got.toJSON()), attachment: got.authenticatorAttachment };
    }),
    abort: () => controller.abort(),
  };
})();
