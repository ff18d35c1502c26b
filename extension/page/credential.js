// @ts-check
"use strict";

// Makes, of the words that come back, what a page expects: an object of the browser's own
// prototypes, whose members are its own because the prototypes' refuse foreign objects.
(() => {
  /** @type {Parts | undefined} */
  const parts = /** @type {any} */ (globalThis)[Symbol.for("localpasskey")];
  if (!parts) return;
  const { put, create, clone, decode, Credential, attestation, assertion } = parts.safe;
  const prototype = Credential.prototype;

  /** @param {string | undefined} text */
  const bufferOf = (text) => (text === undefined ? null : decode(text));
  /** @param {object} o @param {Record<string, Function>} methods each with its name */
  const method = (o, methods) => {
    for (const name in methods) put(o, name, methods[name], true);
  };

  /** @param {CredentialWords["response"]} words */
  const registration = (words) => {
    const response = create(attestation);
    put(response, "clientDataJSON", decode(words.clientDataJSON));
    put(response, "attestationObject", bufferOf(words.attestationObject));
    method(response, {
      __proto__: /** @type {any} */ (null),
      getTransports() { return clone(words.transports ?? []); },
      getAuthenticatorData() { return decode(words.authenticatorData); },
      getPublicKey() { return bufferOf(words.publicKey); },
      getPublicKeyAlgorithm() { return words.publicKeyAlgorithm; },
    });
    return response;
  };

  /** @param {CredentialWords["response"]} words */
  const signIn = (words) => {
    const response = create(assertion);
    put(response, "clientDataJSON", decode(words.clientDataJSON));
    put(response, "authenticatorData", decode(words.authenticatorData));
    put(response, "signature", bufferOf(words.signature));
    put(response, "userHandle", bufferOf(words.userHandle));
    return response;
  };

  /** What is binary among the results of extensions: that of prf. @param {CredentialWords["clientExtensionResults"]} results */
  const extensionResults = (results) => {
    const all = clone(results), found = all.prf?.results;
    if (found?.first !== undefined) put(found, "first", decode(found.first), true);
    if (found?.second !== undefined) put(found, "second", decode(found.second), true);
    return all;
  };

  parts.credential = (words) => {
    const made = create(prototype);
    put(made, "id", words.id);
    put(made, "rawId", decode(words.rawId));
    put(made, "type", words.type);
    put(made, "authenticatorAttachment", words.authenticatorAttachment ?? null);
    put(made, "response", words.response.attestationObject === undefined ? signIn(words.response) : registration(words.response));
    method(made, {
      __proto__: /** @type {any} */ (null),
      getClientExtensionResults() { return extensionResults(words.clientExtensionResults); },
      toJSON() { return clone(words); },
    });
    return made;
  };
})();
