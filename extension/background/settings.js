// @ts-check

// Keeps where the person wants LocalPasskey: everywhere, on each site, in private windows.
// A site's choice has a key of its own, so that two pages of ours never undo each other's.
// What is chosen in a private window is forgotten with the browser's session.

const api = globalThis.browser ?? globalThis.chrome;

/** @typedef {{ off?: boolean, until?: number }} Choice until is the end of a pause, in milliseconds since 1970 */
/** @typedef {"on" | "pause" | "off"} Word */

const sitePrefix = "site:";
export const pauseMilliseconds = 60 * 60 * 1000;

/** @param {Word} word @returns {Choice | undefined} nothing: on */
export function choiceOf(word) {
  switch (word) {
    case "off": return { off: true };
    case "pause": return { until: Date.now() + pauseMilliseconds };
    default: return undefined;
  }
}

/** @param {Choice | undefined} choice @returns {Word} */
export function wordOf(choice) {
  if (choice?.off) return "off";
  return (choice?.until ?? 0) > Date.now() ? "pause" : "on";
}

/** @param {boolean} privately */
const areaOf = (privately) => (privately ? api.storage.session : api.storage.local);

/** @param {chrome.storage.StorageArea} area @param {string} key @param {unknown} value nothing: take it away */
const keep = (area, key, value) => (value === undefined ? area.remove(key) : area.set({ [key]: value }));

/** @returns {Promise<Choice | undefined>} */
export async function everywhere() {
  return (await api.storage.local.get("everywhere")).everywhere;
}

/** @param {Choice | undefined} choice */
export const setEverywhere = (choice) => keep(api.storage.local, "everywhere", choice);

/** @returns {Promise<boolean>} */
export async function privateWindows() {
  return (await api.storage.local.get({ privateWindows: true })).privateWindows;
}

/** @param {boolean} wanted */
export const setPrivateWindows = (wanted) => keep(api.storage.local, "privateWindows", wanted);

/**
 * What holds on a site: a private window has its own word, or that of the others.
 * @param {string} host @param {boolean} privately @returns {Promise<Choice | undefined>}
 */
export async function site(host, privately) {
  const key = sitePrefix + host;
  const own = privately ? (await api.storage.session.get(key))[key] : undefined;
  return own ?? (await api.storage.local.get(key))[key];
}

/** @param {string} host @param {Choice | undefined} choice @param {boolean} privately */
export const setSite = (host, choice, privately) => keep(areaOf(privately), sitePrefix + host, privately ? choice ?? {} : choice);

/** The sites with a choice of their own. @returns {Promise<[host: string, choice: Choice][]>} */
export async function sites() {
  const all = await api.storage.local.get(null);
  return Object.entries(all).filter(([key]) => key.startsWith(sitePrefix)).map(([key, choice]) => [key.slice(sitePrefix.length), choice]);
}

/** Whether a request of these hosts' pages is ours. @param {string[]} hosts @param {boolean} privately */
export async function isWanted(hosts, privately) {
  if (privately && !await privateWindows()) return false;
  if (wordOf(await everywhere()) !== "on") return false;
  const choices = await Promise.all(hosts.map((host) => site(host, privately)));
  return choices.every((choice) => wordOf(choice) === "on");
}
