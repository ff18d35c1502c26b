// @ts-check

// Shows how things are on the page in front. Nothing is decided here but where LocalPasskey
// is wanted: no PIN, no yes to a site.

import * as host from "../background/host.js";
import * as settings from "../background/settings.js";
import { choose, element, problemOf, show, showConnection } from "./words.js";

const api = globalThis.browser ?? globalThis.chrome;

/** The page in front, if passkeys can be used there. */
async function pageInFront() {
  const [tab] = await api.tabs.query({ active: true, currentWindow: true });
  if (!tab?.url) return undefined;
  const { origin, hostname, protocol } = new URL(tab.url);
  return protocol === "https:" || protocol === "http:" ? { origin, hostname, tab } : undefined;
}

/** @param {string} origin */
async function countHere(origin) {
  const { answer } = await host.ask({ op: "count", origin });
  const count = answer?.result?.passkeys;
  if (typeof count === "number") show("count", count === 0 ? "No passkeys for this site." : `${count} ${count === 1 ? "passkey" : "passkeys"} for this site.`);
}

/** Asks the relay on the page; where there is none, nothing is locked. @param {number | undefined} tab */
async function isLockedOut(tab) {
  try {
    return await api.tabs.sendMessage(/** @type {number} */ (tab), "lockedOut", { frameId: 0 }) === true;
  } catch {
    return false;
  }
}

async function begin() {
  const page = await pageInFront();
  await choose("everywhere", settings.everywhere, settings.setEverywhere);
  if (page) {
    const { hostname, tab } = page;
    element("here").hidden = false;
    element("host").textContent = hostname;
    await choose("site", () => settings.site(hostname, tab.incognito), (choice) => settings.setSite(hostname, choice, tab.incognito));
  }
  const status = await host.ask({ op: "status" });
  showConnection(status);
  const [what, hint] = problemOf(status), locked = page && await isLockedOut(page.tab.id);
  const takenOver = "Another extension has taken over passkeys on this page, and lets nobody else in.";
  show("what", what || (locked ? takenOver : ""));
  show("hint", hint || (locked ? "Turn passkeys off in that extension, or remove it." : ""));
  element("notice").hidden = element("what").hidden;
  if (page) await countHere(page.origin);
  document.body.dataset.ready = "yes";
}

element("options").addEventListener("click", () => api.runtime.openOptionsPage());
element("manage").addEventListener("click", async () => {
  const { answer, problem } = await host.ask({ op: "manage" });
  if (answer?.result) return window.close();
  return show("trouble", `The manager does not open: ${answer?.error?.message ?? problem}`);
});
begin();
