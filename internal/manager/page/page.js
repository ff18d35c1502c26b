// @ts-check
import { begin, call, watch } from "./api.js";
import { askDelete, askRename, prepareDialogs, showDetails } from "./dialogs.js";
import { Grid } from "./grid.js";
import { HistoryView } from "./history.js";
import { complain, element, input, say, several } from "./words.js";

const history = new HistoryView();
const grid = new Grid({ open: showDetails, remove: () => act("delete"), chosen: drawSelection });
let view = "passkeys";

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
    if (view === "history") await history.load();
    draw();
  } catch (err) {
    complain(element("trouble"), err);
  }
}

/** @param {import("./api.js").State} state */
function drawState(state) {
  const chip = element("pin-state");
  chip.hidden = !state.set_up || Boolean(state.problem);
  chip.title = state.hardware;
  chip.classList.toggle("warn", !state.pin_set || state.retries < 8 || state.reinsert);
  if (!state.pin_set) chip.textContent = "No PIN is set";
  else if (state.retries === 0) chip.textContent = "PIN locked for good";
  else if (state.reinsert) chip.textContent = `PIN paused: run localpasskey reconnect (${several(state.retries, "try", "tries")} left)`;
  else chip.textContent = `PIN set, ${several(state.retries, "try", "tries")} left`;
}

/** Shows one of: the table, nothing at all, nothing that matches. */
function draw() {
  const query = input("filter").value.trim();
  const none = grid.all.length === 0;
  const noMatch = !none && grid.shown.length === 0;
  element("passkeys").hidden = view !== "passkeys";
  element("history").hidden = view !== "history";
  element("grid").hidden = none || noMatch;
  element("empty").hidden = !none;
  element("no-match").hidden = !noMatch;
  element("query").textContent = query;
  if (view === "history") element("count").textContent = "";
  else if (query && !none) element("count").textContent = `${grid.shown.length.toLocaleString()} of ${several(grid.all.length, "passkey")}`;
  else element("count").textContent = none ? "" : several(grid.all.length, "passkey");
  grid.draw();
}

function drawSelection() {
  const chosen = grid.chosen();
  element("actions").hidden = chosen.length === 0;
  element("picked").textContent = several(chosen.length, "passkey");
  for (const button of element("actions").querySelectorAll("button")) {
    const many = button.dataset.act === "delete";
    button.disabled = !many && chosen.length !== 1 || button.dataset.act === "open" && !chosen[0]?.url;
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
  const failed = () => { void call("state").then(drawState, () => {}); };
  if (what === "details") showDetails(p);
  else if (what === "open" && p.url) window.open(p.url, "_blank", "noopener,noreferrer");
  else if (what === "copy-service") void copy(p.service);
  else if (what === "copy-user") void copy(p.user_name);
  else if (what === "rename") askRename(p, done, failed);
  else if (what === "delete") askDelete(chosen, done, failed);
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

/** @param {"passkeys" | "history"} to */
async function show(to) {
  view = to;
  element("show-passkeys").setAttribute("aria-pressed", String(to === "passkeys"));
  element("show-history").setAttribute("aria-pressed", String(to === "history"));
  input("filter").placeholder = to === "passkeys" ? "Filter by Service or User Name" : "Filter the History";
  input("filter").setAttribute("aria-label", input("filter").placeholder);
  filter();
  if (to === "history") {
    try {
      await history.load();
    } catch (err) {
      complain(element("trouble"), err);
    }
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
  element("clear").addEventListener("click", () => { input("filter").value = ""; filter(); input("filter").focus(); });
  element("show-passkeys").addEventListener("click", () => void show("passkeys"));
  element("show-history").addEventListener("click", () => void show("history"));
  for (const button of element("actions").querySelectorAll("button")) button.addEventListener("click", () => act(button.dataset.act));
  document.addEventListener("keydown", key);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) void load(); });
  await begin();
  void watch(() => complain(element("trouble"), { message: "This page has ended.", hint: "Run `localpasskey manage` again." }));
  await load();
  element("grid").focus();
  document.body.dataset.ready = "yes";
}

void start();
