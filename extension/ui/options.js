// @ts-check

// The options page: where LocalPasskey is wanted, site by site. No PIN, no yes to a site.

import * as host from "../background/host.js";
import * as settings from "../background/settings.js";
import { choose, element, problemOf, show, showConnection, untilOf } from "./words.js";

const api = globalThis.browser ?? globalThis.chrome;

async function showMachine() {
  const status = await host.ask({ op: "status" });
  showConnection(status);
  const [what, hint] = problemOf(status), found = status.answer?.result;
  show("what", what);
  show("hint", hint);
  element("notice").hidden = what === "";
  element("hardware").textContent = found?.hardware || "unknown";
  element("passkeys").textContent = found ? String(found.passkeys ?? 0) : "unknown";
  element("versions").textContent = `extension ${api.runtime.getManifest().version}, program ${found?.version ?? "unknown"}`;
}

async function drawSites() {
  const sites = (await settings.sites()).filter(([, choice]) => settings.wordOf(choice) !== "on").sort();
  const rows = sites.map(([name, choice]) => {
    const row = document.createElement("tr"), again = document.createElement("button");
    again.textContent = "Turn on";
    again.setAttribute("aria-label", `Turn on for ${name}`);
    again.addEventListener("click", async () => { await settings.setSite(name, undefined, false); await drawSites(); });
    for (const content of [name, untilOf(choice) || "Off", again]) {
      row.append(document.createElement("td"));
      row.lastElementChild?.append(content);
    }
    return row;
  });
  element("sites").querySelector("tbody")?.replaceChildren(...rows);
  element("sites").hidden = rows.length === 0;
  element("no-sites").hidden = rows.length > 0;
}

/** The host of what a person has typed: a name or an address. @param {string} typed */
function hostOf(typed) {
  try {
    return new URL(typed.includes("://") ? typed : `https://${typed}`).hostname;
  } catch {
    return "";
  }
}

element("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (element("add-host")), name = hostOf(field.value.trim());
  show("add-trouble", name ? "" : "That is not the name of a site.");
  if (!name) return;
  await settings.setSite(name, settings.choiceOf("off"), false);
  field.value = "";
  await drawSites();
});

element("manage").addEventListener("click", async () => {
  const { answer, problem } = await host.ask({ op: "manage" });
  show("trouble", answer?.result ? "" : `The manager does not open: ${answer?.error?.message ?? problem}`);
});

async function begin() {
  const wanted = /** @type {HTMLInputElement} */ (element("private"));
  wanted.checked = await settings.privateWindows();
  wanted.addEventListener("change", () => settings.setPrivateWindows(wanted.checked));
  const allowed = await api.extension.isAllowedIncognitoAccess();
  element("private-allowed").textContent = allowed
    ? "Your browser lets this extension work in private windows."
    : "Your browser keeps this extension out of private windows; its own page for extensions can change that.";
  await choose("everywhere", settings.everywhere, settings.setEverywhere);
  await drawSites();
  await showMachine();
  document.body.dataset.ready = "yes";
}

api.storage.onChanged.addListener(drawSites);
begin();
