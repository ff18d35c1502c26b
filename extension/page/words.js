// @ts-check
"use strict";

// Puts the options of a page into words, once and at the time of the call: the page may
// change its bytes afterwards. It reads the members that WebAuthn has (Level 3 §5.4, §5.5)
// and converts them as WebIDL would. What does not fit, and what only the browser can do,
// is an exception here: the browser's own function then gets the page's options as they
// are, and says itself what is wrong with them.
(() => {
  /** @type {Parts | undefined} */
  const parts = /** @type {any} */ (globalThis)[Symbol.for("localpasskey")];
  if (!parts) return;
  const { encode, put, ownKeys, descriptor, create } = parts.safe;
  const { isArray } = Array;
  const notOurs = () => new parts.safe.TypeError("not ours");

  /** @param {any} value */
  const text = (value) => (value === undefined ? undefined : `${value}`);
  /** @param {any} value */
  const number = (value) => (value === undefined ? undefined : +value);
  /** @param {any} value */
  const flag = (value) => (value === undefined ? undefined : !!value);
  /** @param {any} value @param {string} [name] */
  const given = (value, name) => {
    if (value === undefined) throw name ? new parts.safe.TypeError(`required member ${name} is undefined`) : notOurs();
    return value;
  };
  /** @param {any} o @param {string} name */
  const required = (o, name) => `${given(o?.[name], name)}`;
  /** A dictionary's members, or none. @param {any} value */
  const members = (value) => (value === undefined || value === null ? { __proto__: null } : value);

  /** @template T @param {any} value @param {(item: any) => T} convert @returns {T[] | undefined} */
  const list = (value, convert) => {
    if (value === undefined) return undefined;
    if (!isArray(value)) throw notOurs();
    /** @type {T[]} */
    const all = [];
    for (let i = 0; i < value.length; i++) put(all, i, convert(value[i]), true);
    return all;
  };
  /** @param {any} d */
  const descriptorOf = (d) => ({ type: text(given(d.type)), id: encode(d.id), transports: list(d.transports, text) });
  /** @param {any} p */
  const parameter = (p) => ({ type: text(given(p.type)), alg: given(p.alg) | 0 });

  /** @param {any} v */
  const salts = (v) => (v === undefined ? undefined : { first: encode(v.first), second: v.second === undefined ? undefined : encode(v.second) });
  /** @param {any} record */
  const saltsByCredential = (record) => {
    if (record === undefined) return undefined;
    const all = create(null), keys = ownKeys(record);
    for (let i = 0; i < keys.length; i++) {
      const key = /** @type {string} */ (keys[i]);
      if (descriptor(record, key)?.enumerable) put(all, `${key}`, salts(record[key]), true);
    }
    return all;
  };
  /** @param {any} p */
  const prf = (p) => (p === undefined ? undefined : { eval: salts(p.eval), evalByCredential: saltsByCredential(p.evalByCredential) });

  /**
   * Of the extensions those that LocalPasskey knows. AppIDs belong to security keys, and
   * blobs and payments to the browser.
   * @param {any} e
   */
  const extensions = (e) => {
    e = members(e);
    const blob = e.largeBlob === undefined ? undefined : members(e.largeBlob);
    if (e.appid !== undefined || e.payment !== undefined) throw notOurs();
    if (blob && (blob.support === "required" || blob.read || blob.write !== undefined)) throw notOurs();
    return {
      credProps: flag(e.credProps), prf: prf(e.prf), largeBlob: blob && { support: text(blob.support) },
      credentialProtectionPolicy: text(e.credentialProtectionPolicy),
      enforceCredentialProtectionPolicy: flag(e.enforceCredentialProtectionPolicy),
    };
  };

  /** Where a page would rather have another device, the browser has the word. @param {string[] | undefined} hints */
  const wantsOther = (hints) => hints !== undefined && hints.length > 0 && (hints[0] === "security-key" || hints[0] === "hybrid");
  /** @param {any} value */
  const hintsOf = (value) => {
    const hints = list(value, (hint) => `${hint}`);
    if (wantsOther(hints)) throw notOurs();
    return hints;
  };

  parts.words = {
    create(o) {
      const rp = given(o.rp), user = given(o.user), selection = members(o.authenticatorSelection);
      if (selection.authenticatorAttachment === "cross-platform") throw notOurs();
      return {
        rp: { id: text(rp.id), name: text(given(rp.name)) },
        user: { id: encode(user.id), name: text(given(user.name)), displayName: text(given(user.displayName)) },
        challenge: encode(o.challenge),
        pubKeyCredParams: given(list(o.pubKeyCredParams, parameter)),
        timeout: number(o.timeout),
        excludeCredentials: list(o.excludeCredentials, descriptorOf),
        authenticatorSelection: {
          authenticatorAttachment: text(selection.authenticatorAttachment), residentKey: text(selection.residentKey),
          requireResidentKey: flag(selection.requireResidentKey), userVerification: text(selection.userVerification),
        },
        hints: hintsOf(o.hints),
        attestation: text(o.attestation),
        attestationFormats: list(o.attestationFormats, text),
        extensions: extensions(o.extensions),
      };
    },
    get(o) {
      return {
        challenge: encode(o.challenge), timeout: number(o.timeout), rpId: text(o.rpId),
        allowCredentials: list(o.allowCredentials, descriptorOf),
        userVerification: text(o.userVerification), hints: hintsOf(o.hints), extensions: extensions(o.extensions),
      };
    },
    signal(name, o) {
      const rpId = required(o, "rpId");
      if (name === "signalUnknownCredential") return { rpId, credentialId: required(o, "credentialId") };
      const userId = required(o, "userId");
      if (name === "signalCurrentUserDetails") return { rpId, userId, name: required(o, "name"), displayName: required(o, "displayName") };
      return { rpId, userId, allAcceptedCredentialIds: given(list(o.allAcceptedCredentialIds, text), "allAcceptedCredentialIds") };
    },
  };
})();
