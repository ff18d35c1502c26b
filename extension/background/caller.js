// @ts-check

// Says who asks. All of it is the browser's word about the port that a request came by;
// nothing is the page's.

/** @typedef {{ origin: string, topOrigin?: string, hosts: string[], privately: boolean, frame: string }} Caller */

/** The origin of a page that may use passkeys. @param {string | undefined} address */
function originOf(address) {
  if (!address || address === "null") return undefined;
  const { protocol, hostname, origin } = new URL(address);
  const local = hostname === "localhost" || hostname.endsWith(".localhost");
  return protocol === "https:" || (protocol === "http:" && local) ? { origin, hostname } : undefined;
}

/**
 * @param {chrome.runtime.MessageSender | undefined} sender @param {boolean} crossOrigin what the relay has found
 * @returns {Caller | undefined} nothing: nobody who may ask
 */
export function callerOf(sender, crossOrigin) {
  const { tab, frameId } = sender ?? {};
  const asks = originOf(sender?.origin);
  if (!asks || !tab || frameId === undefined) return undefined;
  const caller = { origin: asks.origin, hosts: [asks.hostname], privately: tab.incognito, frame: `${tab.id} ${frameId}` };
  if (frameId === 0) return crossOrigin ? undefined : caller; // nothing is around it
  const top = originOf(tab.url);
  if (!top || (top.origin !== asks.origin && !crossOrigin)) return undefined;
  return crossOrigin ? { ...caller, topOrigin: top.origin, hosts: [asks.hostname, top.hostname] } : caller;
}
