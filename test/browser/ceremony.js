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

  /**
   * Gives extension inputs their bytes, which JSON has as "hex:00ff".
   * @param {any} value
   * @returns {any}
   */
  function alive(value) {
    if (typeof value === "string" && value.startsWith("hex:")) {
      return Uint8Array.from(value.slice(4).match(/../g) ?? [], (byte) => parseInt(byte, 16));
    }
    return value instanceof Object ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, alive(part)])) : value;
  }

  /**
   * Is the way back.
   * @param {any} value
   * @returns {any}
   */
  function plain(value) {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return "hex:" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return value instanceof Object ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)])) : value;
  }

  /**
   * Is what the site gets: it refuses outputs of extensions that it has not asked for.
   * @param {PublicKeyCredential} credential
   */
  function withoutOutputs(credential) {
    return { ...credential.toJSON(), clientExtensionResults: {} };
  }

  globalThis.ceremony = {
    /**
     * @param {Record<string, string>} query
     * @param {object} inputs of extensions
     */
    register: (query, inputs = {}) => attempt(async (signal) => {
      const { publicKey } = await post(`register/begin?${new URLSearchParams(query)}`);
      const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
      options.extensions = { ...options.extensions, ...alive(inputs) };
      const made = await navigator.credentials.create({ publicKey: options, signal });
      return {
        receipt: await post("register/finish", withoutOutputs(made)),
        transports: made.response.getTransports(),
        attachment: made.authenticatorAttachment,
        outputs: plain(made.getClientExtensionResults()),
      };
    }),
    /**
     * @param {Record<string, string>} query
     * @param {object} inputs of extensions
     */
    signIn: (query, inputs = {}) => attempt(async (signal) => {
      const { publicKey } = await post(`signin/begin?${new URLSearchParams(query)}`);
      const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
      options.extensions = { ...options.extensions, ...alive(inputs) };
      const got = await navigator.credentials.get({ publicKey: options, signal });
      return {
        receipt: await post("signin/finish", withoutOutputs(got)),
        attachment: got.authenticatorAttachment,
        outputs: plain(got.getClientExtensionResults()),
      };
    }),
    abort: () => controller.abort(),
  };
})();
