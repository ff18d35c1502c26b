// @ts-check

// What both pages show alike.

import * as settings from "../background/settings.js";

/** @param {string} id */
export const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} id @param {string} text nothing: not to be seen */
export function show(id, text) {
  element(id).textContent = text;
  element(id).hidden = text === "";
}

/** @param {import("../background/host.js").Reply} reply */
export function showConnection({ answer }) {
  const status = answer?.result, chip = element("connection");
  chip.textContent = status?.ready ? "Connected" : status ? "Not ready" : "Not connected";
  chip.className = `chip ${status?.ready ? "good" : "bad"}`;
  /** @type {HTMLButtonElement} */ (element("manage")).disabled = !status?.setUp;
  element("pin").textContent = status ? pinState(status) : "unknown";
}

/** @param {any} status */
function pinState({ pinSet, pinRetries, setUp }) {
  if (!setUp || !pinSet) return "not set";
  if (pinRetries === 0) return "blocked: no tries left";
  return `set, ${pinRetries} ${pinRetries === 1 ? "try" : "tries"} left`;
}

/** Why nothing works, and what to do. @param {import("../background/host.js").Reply} reply @returns {[what: string, hint: string]} */
export function problemOf({ answer, problem }) {
  const status = answer?.result;
  if (status?.problem) return [status.problem, status.hint ?? ""];
  if (status?.ready) return ["", ""];
  if (status) return ["LocalPasskey is not set up.", "In a terminal, run: localpasskey setup"];
  if (answer?.error) return [answer.error.message, ""];
  return [`This browser does not reach LocalPasskey: ${problem}`, "Is it installed? In a terminal, run: localpasskey browser install"];
}

/** @param {settings.Choice | undefined} choice */
export const untilOf = (choice) =>
  settings.wordOf(choice) === "pause" ? `Paused until ${new Date(choice?.until ?? 0).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.` : "";

/**
 * Three words to choose from.
 * @param {string} id of the field set @param {() => Promise<settings.Choice | undefined>} read @param {(choice: settings.Choice | undefined) => Promise<void>} write
 */
export async function choose(id, read, write) {
  const draw = async () => {
    const choice = await read(), word = settings.wordOf(choice);
    for (const input of element(id).querySelectorAll("input")) input.checked = input.value === word;
    show(`${id}-until`, untilOf(choice));
  };
  element(id).addEventListener("change", async (event) => {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    await write(settings.choiceOf(/** @type {settings.Word} */ (value)));
    await draw();
  });
  await draw();
}
