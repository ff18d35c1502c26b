// @ts-check

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export function input(id) {
  return /** @type {HTMLInputElement} */ (element(id));
}

/**
 * An element with text in it. Texts of sites stand alone (bdi), so that their direction of
 * writing turns nothing else round.
 * @param {string} tag
 * @param {string} text
 * @param {string} [className]
 */
export function made(tag, text, className) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  const inner = document.createElement("bdi");
  inner.textContent = text;
  e.append(inner);
  return e;
}

/** @param {number} seconds */
export function day(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleDateString(undefined, { dateStyle: "medium" }) : "never";
}

/** @param {number} milliseconds */
export function moment(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/**
 * @param {number} n
 * @param {string} what
 * @param {string} [many]
 */
export function several(n, what, many = `${what}s`) {
  return n === 1 ? `1 ${what}` : `${n.toLocaleString()} ${many}`;
}

let fading = 0;

/**
 * Says something for a moment; with undo, for as long as it takes to think again.
 * @param {string} text
 * @param {() => void} [undo]
 */
export function say(text, undo) {
  const box = element("toast-box");
  const button = element("undo");
  element("toast").textContent = text;
  button.hidden = !undo;
  button.onclick = () => { box.classList.remove("shown"); undo?.(); };
  box.classList.add("shown");
  clearTimeout(fading);
  fading = window.setTimeout(() => box.classList.remove("shown"), undo ? 10_000 : 2500);
}

/**
 * Says why something failed, in the place for it.
 * @param {Element | null} place
 * @param {unknown} err
 */
export function complain(place, err) {
  if (!(place instanceof HTMLElement)) return;
  place.hidden = !err;
  place.replaceChildren();
  if (!err) return;
  const e = /** @type {{message?: string, hint?: string}} */ (err);
  place.append(made("strong", e.message ?? String(err)));
  if (e.hint) place.append(made("span", ` ${e.hint}`));
}
