// @ts-check
"use strict";

// The files of page/ run in the page's own world, before any script of the page. Nothing
// that they know is a secret, and nothing that they say is believed: whoever is behind
// the relay asks the browser where a request comes from.
//
// This one keeps what the others use, because the page may change it afterwards. For the
// same reason no file here iterates, spreads or destructures an array once the page runs.
// It leaves one object on the window for the others, which the last one takes away again
// before the page begins.
(() => {
  if (!globalThis.isSecureContext || typeof PublicKeyCredential !== "function" || !navigator.credentials) return;
  const { apply, construct, defineProperty, getPrototypeOf, ownKeys, getOwnPropertyDescriptor } = Reflect;
  const { create } = Object;
  const { isView } = ArrayBuffer;
  const Bytes = Uint8Array;
  const { iterator } = Symbol;

  /** @param {any} f @returns {(self: any, a?: any, b?: any) => any} */
  const method = (f) => (self, a, b) => apply(f, self, [a, b]);
  /** @param {any} prototype @param {PropertyKey} name */
  const getter = (prototype, name) => method(getOwnPropertyDescriptor(prototype, name)?.get);
  /** @param {any} prototype */
  const view = (prototype) => ({
    buffer: getter(prototype, "buffer"), offset: getter(prototype, "byteOffset"), length: getter(prototype, "byteLength"),
  });

  const typedPrototype = getPrototypeOf(Uint8Array.prototype);
  const typed = view(typedPrototype), data = view(DataView.prototype);
  const typedName = getter(typedPrototype, Symbol.toStringTag); // undefined for a DataView
  const bufferLength = getter(ArrayBuffer.prototype, "byteLength");
  const codeAt = method(String.prototype.charCodeAt);

  /** @type {Safe["put"]} */
  const put = (o, name, value, writable = false) => {
    defineProperty(o, name, /** @type {any} */ ({ __proto__: null, value, writable, enumerable: true, configurable: true }));
  };

  /** The bytes of a BufferSource; a view may begin in the middle. @param {any} source */
  const bytes = (source) => {
    if (!isView(source)) return construct(Bytes, [source, 0, bufferLength(source)]);
    const kind = typedName(source) === undefined ? data : typed;
    return construct(Bytes, [kind.buffer(source), kind.offset(source), kind.length(source)]);
  };

  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  /** @type {Safe["encode"]} */
  const encode = (source) => {
    const from = bytes(source), length = typed.length(from);
    let text = "";
    for (let i = 0; i < length; i += 3) {
      const left = length - i;
      const group = from[i] << 16 | (left > 1 ? from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0);
      text += alphabet[group >> 18] + alphabet[group >> 12 & 63];
      if (left > 1) text += alphabet[group >> 6 & 63];
      if (left > 2) text += alphabet[group & 63];
    }
    return text;
  };

  /** What each character stands for. */
  const digits = new Bytes(128);
  for (let i = 0; i < alphabet.length; i++) digits[alphabet.charCodeAt(i)] = i;
  /** @type {Safe["decode"]} */
  const decode = (text) => {
    const to = construct(Bytes, [text.length * 3 >> 2]);
    for (let i = 0, at = 0, bits = 0, held = 0; i < text.length; i++) {
      held = (held << 6 | digits[codeAt(text, i)]) & 0xffff;
      if ((bits += 6) >= 8) to[at++] = held >> (bits -= 8) & 255;
    }
    return typed.buffer(to);
  };

  const Channel = MessageChannel;
  const one = getter(Channel.prototype, "port1"), other = getter(Channel.prototype, "port2");
  const send = method(MessagePort.prototype.postMessage), close = method(MessagePort.prototype.close);
  const hear = method(getOwnPropertyDescriptor(MessagePort.prototype, "onmessage")?.set);
  const heard = getter(MessageEvent.prototype, "data");
  const post = window.postMessage;
  /** @type {Safe["hello"]} */
  const hello = (port) => {
    let given = false;
    const next = () => (given ? { done: true, value: undefined } : (given = true, { done: false, value: port }));
    const list = [port]; // with an iterator of its own: the page may have broken that of all lists
    put(list, /** @type {any} */ (iterator), () => ({ __proto__: null, next }));
    apply(post, window, [{ localpasskey: 1 }, "/", list]);
  };

  const on = method(EventTarget.prototype.addEventListener), off = method(EventTarget.prototype.removeEventListener);

  /** @type {Safe} */
  const safe = {
    apply, ownKeys, put, create, encode, decode, hello, send, close,
    descriptor: getOwnPropertyDescriptor, clone: window.structuredClone.bind(window),
    later: window.setTimeout.bind(window), never: window.clearTimeout.bind(window),
    channel: () => { const made = new Channel(); return { here: one(made), there: other(made) }; },
    listen: (port, listener) => hear(port, (/** @type {any} */ event) => listener(heard(event))),
    aborted: getter(AbortSignal.prototype, "aborted"), reason: getter(AbortSignal.prototype, "reason"),
    onAbort: (signal, listener) => on(signal, "abort", listener), offAbort: (signal, listener) => off(signal, "abort", listener),
    onLoad: (listener) => { on(document, "DOMContentLoaded", listener); on(window, "load", listener); },
    Promise, DOMException, TypeError, Credential: PublicKeyCredential,
    Container: CredentialsContainer.prototype, credentials: navigator.credentials,
    attestation: AuthenticatorAttestationResponse.prototype, assertion: AuthenticatorAssertionResponse.prototype,
  };
  defineProperty(globalThis, Symbol.for("localpasskey"), { value: { safe }, configurable: true });
})();
