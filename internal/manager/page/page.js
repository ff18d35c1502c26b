// @ts-check
import { begin, call, watch } from "./api.js";
import { Comparison } from "./compare.js";
import { askDelete, askRename, prepareDialogs, showDetails, useFinger } from "./dialogs.js";
import { Grid } from "./grid.js";
import { HistoryView } from "./history.js";
import { SettingsView } from "./settings.js";
import { complain, element, input, say, several } from "./words.js";

/** @typedef {import("./api.js").Passkey} Passkey */
/** @typedef {"passkeys" | "history" | "settings"} View */

/** @type {View[]} */
const views = ["passkeys", "history", "settings"];
const history = new HistoryView();
const settings = new SettingsView(() => void refreshState());
const grid = new Grid({ open: showDetails, remove: () => act("delete"), chosen: drawSelection });
const comparison = new Comparison(() => { drawWhich(); draw(); });
const which = /** @type {HTMLSelectElement} */ (element("which"));
/** @type {View} */
let view = "passkeys";
let looking = false;
let compares = true;

async function load() {
  try {
    const [state, passkeys] = await Promise.all([call("state"), call("passkeys").catch((err) => err)]);
    drawState(state);
    if (state.problem || !state.set_up) {
      const problem = state.problem
        ? { message: state.problem.error, hint: state.problem.hint }
        : { message: "LocalPasskey is not set up.", hint: "Run `localpasskey setup`." };
      complain(element("trouble"), problem);
      return;
    }
    if (passkeys instanceof Error) throw passkeys;
    complain(element("trouble"), null);
    grid.setAll(passkeys);
    await comparison.load();
    await loadView();
    drawWhich();
    draw();
  } catch (err) {
    complain(element("trouble"), err);
  }
}

/** Comes to the front: browsers may say so twice, and one look is enough. */
function atFront() {
  if (document.hidden || looking) return;
  looking = true;
  void load().finally(() => { looking = false; });
}

/** Loads what only the view that is open shows. */
async function loadView() {
  if (view === "history") await history.load();
  if (view === "settings") await settings.load();
}

async function refreshState() {
  try {
    drawState(await call("state"));
  } catch {
    // Whatever was asked for says what is wrong.
  }
}

/** @param {import("./api.js").State} state */
function drawState(state) {
  const chip = element("pin-state");
  useFinger(state.finger);
  compares = state.compares;
  chip.hidden = !state.set_up || Boolean(state.problem);
  chip.title = state.hardware;
  chip.classList.toggle("warn", !state.pin_set || state.retries < 8 || state.reinsert);
  if (state.finger) chip.textContent = "Touch ID";
  else if (!state.pin_set) chip.textContent = "No PIN is set";
  else if (state.retries === 0) chip.textContent = "PIN locked for good";
  else if (state.reinsert) chip.textContent = `PIN paused: run localpasskey reconnect (${several(state.retries, "try", "tries")} left)`;
  else chip.textContent = `PIN set, ${several(state.retries, "try", "tries")} left`;
}

/** Offers what there is to choose from, and looks at what is chosen. */
function drawWhich() {
  const hidden = grid.all.filter((p) => p.hidden).length;
  const here = new Set(comparison.result?.here);
  const [, hiddenOption, hereOption] = which.options;
  hiddenOption.hidden = hidden === 0;
  hiddenOption.textContent = `Hidden (${hidden.toLocaleString()})`;
  hereOption.hidden = !comparison.result;
  hereOption.textContent = `Only here (${here.size.toLocaleString()})`;
  which.hidden = hiddenOption.hidden && hereOption.hidden;
  if (which.selectedOptions[0]?.hidden) which.value = "offered";
  if (which.value === "hidden") grid.look((p) => p.hidden);
  else if (which.value === "here") grid.look((p) => here.has(p.id));
  else grid.look((p) => !p.hidden);
}

/** Shows one of: the table, nothing at all, nothing to look at, nothing that matches. */
function draw() {
  const query = input("filter").value.trim();
  const total = grid.count();
  const empty = grid.all.length === 0;
  const none = !empty && total === 0;
  const noMatch = total > 0 && grid.shown.length === 0;
  for (const name of views) element(name).hidden = view !== name;
  element("tools").hidden = view === "settings";
  element("compare").hidden = view !== "passkeys" || empty || !compares;
  if (view !== "passkeys") which.hidden = true;
  element("compared").hidden = view !== "passkeys" || !comparison.result;
  element("grid").hidden = empty || none || noMatch;
  element("empty").hidden = !empty;
  element("none-hidden").hidden = !none;
  element("none-text").textContent = which.value === "here"
    ? "Every account with a passkey here has one on the other device too." : "All passkeys are hidden: look at Hidden.";
  element("no-match").hidden = !noMatch;
  element("query").textContent = query;
  element("count").textContent = view !== "passkeys" || total === 0 ? ""
    : query ? `${grid.shown.length.toLocaleString()} of ${several(total, "passkey")}` : several(total, "passkey");
  grid.draw();
}

function drawSelection() {
  const chosen = grid.chosen();
  element("actions").hidden = chosen.length === 0;
  element("picked").textContent = several(chosen.length, "passkey");
  for (const button of element("actions").querySelectorAll("button")) {
    const { act: what } = button.dataset;
    const many = what === "delete" || what === "hide";
    button.disabled = !many && chosen.length !== 1 || what === "open" && !chosen[0]?.url;
    if (what === "hide") button.textContent = chosen.every((p) => p.hidden) ? "Bring back" : "Hide";
  }
}

/**
 * Does something with what is selected.
 * @param {string | undefined} what
 */
function act(what) {
  const chosen = grid.chosen();
  const p = chosen[0];
  if (!p) return;
  const done = (/** @type {string} */ text) => { say(text); void load(); };
  const failed = () => void refreshState();
  if (what === "details") showDetails(p);
  else if (what === "open" && p.url) window.open(p.url, "_blank", "noopener,noreferrer");
  else if (what === "copy-service") void copy(p.service);
  else if (what === "copy-user") void copy(p.user_name);
  else if (what === "rename") askRename(p, done, failed);
  else if (what === "delete") askDelete(chosen, done, failed);
  else if (what === "hide") void hide(chosen, !chosen.every((each) => each.hidden));
}

/**
 * Hides passkeys or brings them back. Nothing is lost by it, so nothing is asked.
 * @param {Passkey[]} passkeys
 * @param {boolean} hidden
 */
async function hide(passkeys, hidden) {
  const changed = passkeys.filter((p) => p.hidden !== hidden);
  try {
    await call("hide", { ids: changed.map((p) => p.id), hidden });
    say(`${hidden ? "Hidden" : "Brought back"}: ${several(changed.length, "passkey")}`,
      () => void hide(changed.map((p) => ({ ...p, hidden })), !hidden));
    await load();
  } catch (err) {
    complain(element("trouble"), err);
  }
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${text}`);
  } catch (err) {
    complain(element("trouble"), { message: "This browser does not let the page copy.", hint: String(err) });
  }
}

/** @param {View} to */
async function show(to) {
  view = to;
  for (const name of views) element(`show-${name}`).setAttribute("aria-pressed", String(to === name));
  input("filter").placeholder = to === "history" ? "Filter the History" : "Filter by Service or User Name";
  input("filter").setAttribute("aria-label", input("filter").placeholder);
  drawWhich();
  filter();
  try {
    await loadView();
  } catch (err) {
    complain(element("trouble"), err);
  }
}

function filter() {
  if (view === "history") history.filter(input("filter").value);
  else grid.filter(input("filter").value);
  draw();
}

/** @param {KeyboardEvent} e */
function key(e) {
  if (document.querySelector("dialog[open]")) return;
  const typing = e.target instanceof HTMLInputElement && e.target.type !== "checkbox";
  const search = input("filter");
  if (view === "settings") return;
  if ((e.key === "f" && (e.ctrlKey || e.metaKey)) || (e.key === "/" && !typing)) {
    search.focus();
    search.select();
  } else if (e.key === "Escape" && typing) {
    search.value = "";
    filter();
    element("grid").focus();
  } else if (e.key === "Escape") grid.pickAll(false);
  else if ((e.key === "ArrowDown" || e.key === "Enter") && typing && view === "passkeys") {
    element("grid").focus();
    grid.move(0, false);
  } else if (e.key === "c" && (e.ctrlKey || e.metaKey) && !typing && !String(getSelection())) act("copy-service");
  else return;
  e.preventDefault();
}

async function start() {
  prepareDialogs();
  input("filter").addEventListener("input", filter);
  which.addEventListener("change", () => { drawWhich(); filter(); });
  element("clear").addEventListener("click", () => { input("filter").value = ""; filter(); input("filter").focus(); });
  for (const name of views) element(`show-${name}`).addEventListener("click", () => void show(name));
  for (const button of element("actions").querySelectorAll("button")) button.addEventListener("click", () => act(button.dataset.act));
  document.addEventListener("keydown", key);
  document.addEventListener("visibilitychange", atFront);
  window.addEventListener("focus", atFront);
  await begin();
  void watch(() => complain(element("trouble"), { message: "This page has ended.", hint: "Run `localpasskey manage` again." }));
  await load();
  element("grid").focus();
  document.body.dataset.ready = "yes";
}

void start();
