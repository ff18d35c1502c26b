// @ts-check
"use strict";

// Puts LocalPasskey in front of the browser's own functions. Each request goes to the
// relay through a port of its own; whatever is not ours, and whatever goes wrong on the
// way, ends in the browser's function with the page's own arguments.
(() => {
  const symbol = Symbol.for("localpasskey");
  /** @type {Required<Parts> | undefined} */
  const parts = /** @type {any} */ (globalThis)[symbol];
  if (!parts) return;
  delete (/** @type {any} */ (globalThis)[symbol]);
  const { safe, words, credential } = parts;
  const { apply, put, Container, Credential, credentials } = safe;

  /** How long the relay may take to answer. It is gone when the extension was reloaded or removed under this page. */
  const relayMilliseconds = 1000;

  /**
   * Asks for one thing. An abort of the page's rejects with the page's reason.
   * @param {string} op @param {object} options @param {AbortSignal} [signal] @returns {Promise<Outcome>}
   */
  const ask = (op, options, signal) => new safe.Promise((resolve, reject) => {
    const { here, there } = safe.channel();
    const end = () => {
      safe.close(here);
      safe.never(deaf);
      if (signal) safe.offAbort(signal, abort);
    };
    const abort = () => {
      safe.send(here, { op: "abort" });
      end();
      reject(safe.reason(/** @type {AbortSignal} */ (signal)));
    };
    // Only an answer to the first word brings the request on its way: nothing is under way
    // when the browser's own function takes over. Who answers before anything was asked is
    // another listener of this page, which may stand before the relay: it is not heard.
    let asked = false;
    const deaf = safe.later(() => { end(); resolve({ browser: true }); }, relayMilliseconds);
    safe.listen(here, (message) => {
      if (message.ready) {
        if (asked) return;
        asked = true;
        safe.never(deaf);
        safe.send(here, { op, options });
      } else if (asked || message.browser) {
        end();
        resolve(message);
      }
    });
    if (signal) safe.onAbort(signal, abort);
    safe.hello(there);
  });

  /**
   * Whether a call is ours, and what it says.
   * @param {"create" | "get"} op @param {any} self @param {any} options
   */
  const read = (op, self, options) => {
    try {
      if (self !== credentials || /** @type {any} */ (document).prerendering) return undefined;
      const { publicKey, mediation, signal } = options;
      const others = op === "create" ? options.password ?? options.federated : options.password ?? options.federated ?? options.identity ?? options.otp;
      if (!publicKey || others !== undefined || mediation === "conditional" || mediation === "immediate" || mediation === "silent") return undefined;
      if (signal !== undefined && safe.aborted(signal)) return undefined;
      return { signal, said: words[op](publicKey) };
    } catch {
      return undefined;
    }
  };

  /** @param {{ name: string, message: string }} error */
  const exception = (error) => (error.name === "TypeError" ? new safe.TypeError(error.message) : new safe.DOMException(error.message, error.name));

  /** The credential, unless there is none, or none that can be read. @param {Outcome} outcome */
  const made = (outcome) => {
    try {
      return outcome.browser ? undefined : credential(outcome.result);
    } catch {
      return undefined;
    }
  };

  /** @param {"create" | "get"} op @param {Function} own what was there */
  const ceremony = (op, own) => ({
    async [op]() {
      const request = read(op, this, arguments[0]);
      if (!request) return apply(own, this, arguments);
      const outcome = await ask(op, request.said, request.signal);
      if (outcome.error) throw exception(outcome.error);
      return made(outcome) ?? apply(own, this, arguments);
    },
  })[op];

  const isAvailable = async () => (await ask("available", {})).result?.available === true;

  /** @param {string} name @param {Function} own */
  const availability = (name, own) => ({
    async [name]() { return await isAvailable() || apply(own, this, arguments); },
  })[name];

  /** What LocalPasskey adds to the browser's own abilities. */
  const abilities = [
    "userVerifyingPlatformAuthenticator", "passkeyPlatformAuthenticator", "extension:credProps", "extension:credProtect", "extension:prf",
    "signalAllAcceptedCredentials", "signalCurrentUserDetails", "signalUnknownCredential",
  ];
  /** @param {string} name @param {Function} own */
  const capabilities = (name, own) => ({
    async [name]() {
      const found = await apply(own, this, arguments);
      if (await isAvailable()) for (let i = 0; i < abilities.length; i++) put(found, abilities[i], true, true);
      return found;
    },
  })[name];

  /** Both hear what a page signals, and the browser, where it can, says whether it was right. @param {string} name @param {Function} [own] */
  const signal = (name, own) => ({
    async [name](/** @type {any} */ options) {
      if (own) await apply(own, this, arguments);
      try {
        const outcome = await ask(name, words.signal(name, options));
        if (outcome.error) throw exception(outcome.error);
      } catch (error) {
        if (!own) throw error;
      }
    },
  })[name];

  const source = Function.prototype.toString;
  /**
   * Puts a function in another's place. Firefox runs these scripts once more in open pages
   * when the extension starts anew: ours does not go in front of ours.
   * @param {any} where @param {string} name @param {(name: any, own: any) => Function} make
   */
  const replace = (where, name, make) => {
    const was = safe.descriptor(where, name);
    if (was && !was.configurable) return;
    const own = was && (was.value ?? where[name]), ours = make(name, own);
    if (own && apply(source, own, []) === apply(source, ours, [])) return;
    Reflect.defineProperty(where, name, { value: ours, writable: true, enumerable: was?.enumerable ?? true, configurable: true });
  };

  for (const op of ["create", "get"]) {
    replace(Container, op, ceremony);
    // Another extension may have put its own on the object, in front of the prototype.
    if (safe.descriptor(credentials, op)) replace(credentials, op, ceremony);
  }
  replace(Credential, "isUserVerifyingPlatformAuthenticatorAvailable", availability);
  if (safe.descriptor(Credential, "getClientCapabilities")) replace(Credential, "getClientCapabilities", capabilities);
  for (const name of abilities) if (name.startsWith("signal")) replace(Credential, name, signal);
  // Whichever extension comes first: who makes them so that nobody can change them, has the
  // last word, and the popup says so. Firefox runs other extensions' scripts when it has read
  // them, which can be long after ours.
  const locked = (/** @type {object} */ where) => safe.descriptor(where, "create")?.configurable === false;
  let told = false;
  const look = () => {
    if (told || !locked(Container) && !locked(credentials)) return;
    told = true;
    ask("lockedOut", {});
  };
  safe.later(look, 0);
  safe.onLoad(look);
})();
