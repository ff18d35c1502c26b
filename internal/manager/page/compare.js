// @ts-check
import { call } from "./api.js";
import { complain, element, input, made, several } from "./words.js";

/** @typedef {import("./api.js").Compared} Compared */

/** What this machine has and another has not: the answer to "what if it dies?". */
export class Comparison {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.list = "";
    /** @type {Compared | null} */
    this.result = null;
    const file = input("compare-file");
    element("compare").addEventListener("click", () => file.click());
    file.addEventListener("change", () => void this.read(file));
    element("compared-end").addEventListener("click", () => this.end());
    element("compared-there").addEventListener("click", () => this.showThere());
  }

  /** @param {HTMLInputElement} file */
  async read(file) {
    const chosen = file.files?.[0];
    file.value = ""; // the same file again is a choice too
    if (!chosen) return;
    this.list = await chosen.text();
    await this.load();
  }

  /** Compares again: something here may have changed. */
  async load() {
    if (!this.list) return;
    try {
      this.result = /** @type {Compared} */ (await call("compare", { list: this.list }));
      complain(element("trouble"), null);
    } catch (err) {
      complain(element("trouble"), err);
      this.list = "";
      this.result = null;
    }
    this.draw();
  }

  end() {
    this.list = "";
    this.result = null;
    this.draw();
  }

  draw() {
    const { result } = this;
    element("compared").hidden = !result;
    if (result) {
      const when = new Date(result.exported * 1000).toLocaleDateString(undefined, { dateStyle: "medium" });
      element("compared-text").replaceChildren("Compared with ", made("b", result.device), ` (${when}): ${
        several(result.here.length, "account has", "accounts have")} a passkey only here, ${result.there.length.toLocaleString()} only there.`);
      element("compared-there").hidden = result.there.length === 0;
    }
    this.changed();
  }

  showThere() {
    if (!this.result) return;
    element("there-title").replaceChildren("Only on ", made("span", this.result.device));
    element("there-list").replaceChildren(...this.result.there.map((a) => made("li", `${a.service}: ${a.user_name || "(no name)"}`)));
    /** @type {HTMLDialogElement} */ (element("there")).showModal();
  }
}
