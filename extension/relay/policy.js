// @ts-check
"use strict";

// The files of relay/ run beside a page in a world of their own: the page cannot see or
// change anything here.
//
// This one asks the browser whether its permissions policy lets this frame use passkeys,
// instead of reading headers and attributes a second time.

/**
 * Chromium answers the question as such.
 * @param {string} feature
 */
function policyOf(feature) {
  const known = /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy;
  return /** @type {boolean | undefined} */ (known?.allowsFeature(feature));
}

/**
 * Firefox is asked by its own untouched function, with a request that fails after the policy
 * was checked and before anything is shown: NotAllowedError means no. The user ID has one
 * byte too many (§5.1.3 step 5), or the RP ID is empty, which none is.
 * @param {"create" | "get"} op
 */
async function policyByTrial(op) {
  const challenge = new Uint8Array(16);
  const user = { id: new Uint8Array(65), name: "", displayName: "" };
  /** @type {any} */
  const publicKey = op === "create" ? { rp: { name: "" }, user, challenge, pubKeyCredParams: [] } : { challenge, rpId: "" };
  try {
    await navigator.credentials[op]({ publicKey });
    return false; // nothing that could be relied on
  } catch (error) {
    // A TypeError of the page's realm is none of this one's: its name tells.
    return /** @type {any} */ (error)?.name === (op === "create" ? "TypeError" : "SecurityError");
  }
}

/** What a frame may do it may from then on; what it may not can be for want of a gesture. @type {Set<string>} */
const found = new Set();

/** @param {string} op */
async function isAllowed(op) {
  if (op !== "create" && op !== "get") return true;
  const told = policyOf(`publickey-credentials-${op}`);
  if (told !== undefined) return told;
  if (!found.has(op) && await policyByTrial(op)) found.add(op);
  return found.has(op);
}

/** Whether this frame or one around it is of another origin than the rest (§5.1.3 "sameOriginWithAncestors"). */
function isCrossOrigin() {
  for (let frame = window; frame !== frame.parent;) {
    frame = /** @type {any} */ (frame.parent);
    try {
      if (frame.origin !== window.origin || window.origin === "null") return true;
    } catch {
      return true; // not even to be looked at
    }
  }
  return false;
}
