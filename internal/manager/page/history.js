// @ts-check
import { call } from "./api.js";
import { element, made, moment } from "./words.js";

/** @typedef {import("./api.js").Entry} Entry */

const step = 200;

/** The view of the audit trail. */
export class HistoryView {
  constructor() {
    /** @type {Entry[]} */
    this.entries = [];
    this.query = "";
    this.limit = step;
    element("more").addEventListener("click", () => {
      this.limit += step;
      this.draw();
    });
  }

  async load() {
    /** @type {import("./api.js").History} */
    const history = await call("history");
    this.entries = history.entries;
    const notes = ["What has happened to the passkeys of this machine, newest first. Which program asked is a hint."];
    if (history.gone) notes.push(`The oldest ${history.gone.toLocaleString()} entries are gone: the newest are kept.`);
    if (history.broken) notes.push(`THE TRAIL IS BROKEN at entry ${history.broken}: ${history.why}. Somebody changed it, or the disk did.`);
    element("history-note").textContent = notes.join(" ");
    element("history-note").classList.toggle("warn", Boolean(history.broken));
    this.draw();
  }

  /** @param {string} query */
  filter(query) {
    this.query = query.trim().toLowerCase();
    this.limit = step;
    this.draw();
  }

  /** How many entries match. */
  draw() {
    const found = this.entries.filter((e) =>
      [e.service, e.account, e.event, e.asked_by].some((text) => text.toLowerCase().includes(this.query)));
    element("entries").replaceChildren(...found.slice(0, this.limit).map((e) => {
      const row = document.createElement("tr");
      if (["PIN wrong", "PIN locked", "deleted", "reset", "refused", "settings changed"].includes(e.event)) row.className = "notable";
      row.append(...[moment(e.time), e.event, e.service, e.account, e.asked_by, e.detail].map((text) => made("td", text)));
      return row;
    }));
    element("more").hidden = found.length <= this.limit;
    element("no-entry").hidden = found.length > 0;
    return found.length;
  }
}
