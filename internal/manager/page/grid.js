// @ts-check
import { day, element, input, made } from "./words.js";

/** @typedef {import("./api.js").Passkey} Passkey */

// How many rows beyond what is seen are kept, so that scrolling shows no gaps.
const overscan = 8;

/**
 * The table of passkeys. Only rows that are seen are in the page: with 5,000 of them the
 * others are room on a runway, and nothing jumps.
 */
export class Grid {
  /** @param {{open: (p: Passkey) => void, remove: () => void, chosen: () => void}} tell */
  constructor(tell) {
    this.tell = tell;
    this.grid = element("grid");
    this.body = element("body");
    this.runway = element("runway");
    this.rows = element("rows");
    /** @type {Passkey[]} */
    this.all = [];
    /** @type {Passkey[]} */
    this.shown = [];
    /** @type {Set<string>} */
    this.picked = new Set();
    this.query = "";
    /** Which passkeys there are to look at. @type {(p: Passkey) => boolean} */
    this.wanted = (p) => !p.hidden;
    /** Sorting 5,000 names is felt, so what does not change is kept. @type {Map<string, string>} */
    this.folded = new Map();
    this.collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });
    /** @type {Passkey[] | null} */
    this.sorted = null;
    /** @type {keyof Passkey} */
    this.sortBy = "service";
    this.descending = false;
    this.active = 0;
    this.anchor = 0;
    this.listen();
  }

  listen() {
    this.body.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.body);
    this.grid.addEventListener("keydown", (e) => this.key(e));
    this.rows.addEventListener("click", (e) => this.click(e));
    this.rows.addEventListener("dblclick", () => this.openActive());
    input("pick-all").addEventListener("change", () => this.pickAll(input("pick-all").checked));
    for (const head of this.grid.querySelectorAll("[data-sort]")) {
      head.querySelector("button")?.addEventListener("click", () => {
        this.sort(/** @type {keyof Passkey} */ (/** @type {HTMLElement} */ (head).dataset.sort));
      });
    }
  }

  /** @param {Passkey[]} all */
  setAll(all) {
    this.all = all;
    this.sorted = null;
    this.folded = new Map(all.map((p) => [p.id, `${p.service}\n${p.user_name}`.toLowerCase()]));
    const there = new Set(all.map((p) => p.id));
    for (const id of this.picked) if (!there.has(id)) this.picked.delete(id);
    this.arrange();
  }

  /** @param {string} query */
  filter(query) {
    this.query = query.trim().toLowerCase();
    this.body.scrollTop = 0;
    this.active = 0;
    this.picked.clear();
    this.arrange();
  }

  /**
   * Looks at others.
   * @param {(p: Passkey) => boolean} wanted
   */
  look(wanted) {
    this.wanted = wanted;
    this.arrange();
  }

  /** How many there are to look at, whatever the filter says. */
  count() {
    return this.all.reduce((n, p) => n + Number(this.wanted(p)), 0);
  }

  /** @param {keyof Passkey} by */
  sort(by) {
    this.descending = by === this.sortBy ? !this.descending : ["created", "last_used", "uses"].includes(by);
    this.sortBy = by;
    this.sorted = null;
    this.arrange();
  }

  /** Filters and sorts; the active row stays the same passkey's where it can. */
  arrange() {
    const active = this.shown[this.active]?.id;
    const { query, sortBy, descending } = this;
    this.sorted ??= this.inOrder();
    this.shown = this.sorted.filter((p) => this.wanted(p) && (this.folded.get(p.id) ?? "").includes(query));
    const at = this.shown.findIndex((p) => p.id === active);
    this.active = Math.max(0, at < 0 ? Math.min(this.active, this.shown.length - 1) : at);
    for (const head of this.grid.querySelectorAll("[data-sort]")) {
      const mine = /** @type {HTMLElement} */ (head).dataset.sort === sortBy;
      head.setAttribute("aria-sort", !mine ? "none" : descending ? "descending" : "ascending");
    }
    this.grid.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.draw();
    this.tell.chosen();
  }

  /** All of them, sorted. */
  inOrder() {
    const { sortBy, descending, collator } = this;
    return [...this.all].sort((a, b) => {
      const x = a[sortBy], y = b[sortBy];
      const order = typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y));
      return (descending ? -order : order) || collator.compare(a.service, b.service) || collator.compare(a.user_name, b.user_name);
    });
  }

  rowHeight() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row"));
  }

  /** Puts the rows that are seen where they belong. */
  draw() {
    const height = this.rowHeight();
    this.runway.style.height = `${this.shown.length * height}px`;
    const first = Math.max(0, Math.floor(this.body.scrollTop / height) - overscan);
    const last = Math.min(this.shown.length, Math.ceil((this.body.scrollTop + this.body.clientHeight) / height) + overscan);
    this.rows.style.transform = `translateY(${first * height}px)`;
    this.rows.replaceChildren(...this.shown.slice(first, last).map((p, i) => this.row(p, first + i)));
    this.grid.setAttribute("aria-activedescendant", this.shown.length ? `row-${this.active}` : "");
    const all = input("pick-all");
    const count = this.shown.filter((p) => this.picked.has(p.id)).length;
    all.checked = count > 0 && count === this.shown.length;
    all.indeterminate = count > 0 && count < this.shown.length;
  }

  /**
   * @param {Passkey} p
   * @param {number} index
   */
  row(p, index) {
    const row = document.createElement("div");
    row.className = "row";
    row.id = `row-${index}`;
    row.dataset.index = String(index);
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", String(index + 2));
    row.setAttribute("aria-selected", String(this.picked.has(p.id)));
    row.classList.toggle("active", index === this.active);
    const box = document.createElement("input");
    box.type = "checkbox";
    box.tabIndex = index === this.active ? 0 : -1; // Tab goes from the table into its active row
    box.checked = this.picked.has(p.id);
    box.setAttribute("aria-label", `Select ${p.service}, ${p.user_name}`);
    const pick = document.createElement("div");
    pick.className = "pick";
    pick.append(box);
    const service = made("div", p.service, "service");
    const initial = document.createElement("span");
    initial.className = `initial tint-${[...p.service].reduce((sum, c) => sum + (c.codePointAt(0) ?? 0), 0) % 6}`;
    initial.textContent = ([...p.service.replace(/^www\./, "")][0] ?? "?").toUpperCase();
    initial.setAttribute("aria-hidden", "true");
    service.prepend(initial);
    row.append(pick, service, made("div", p.user_name, "user"), made("div", p.display_name, "wide"),
      made("div", day(p.created), "middle"), made("div", day(p.last_used), "middle"),
      made("div", p.uses.toLocaleString(), "wide number"));
    for (const cell of row.children) cell.setAttribute("role", "gridcell");
    return row;
  }

  /** @param {MouseEvent} e */
  click(e) {
    const row = /** @type {HTMLElement} */ (e.target).closest(".row");
    if (!(row instanceof HTMLElement)) return;
    const index = Number(row.dataset.index);
    const id = this.shown[index].id;
    const box = e.target instanceof HTMLInputElement;
    if (e.shiftKey) this.pickRange(index);
    else if (box || e.ctrlKey || e.metaKey) {
      if (!this.picked.delete(id)) this.picked.add(id);
      this.anchor = index;
    } else {
      this.picked = new Set([id]);
      this.anchor = index;
    }
    this.active = index;
    this.grid.focus({ preventScroll: true });
    this.tell.chosen();
    this.reveal();
  }

  /** @param {number} to */
  pickRange(to) {
    const [low, high] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
    this.picked = new Set(this.shown.slice(low, high + 1).map((p) => p.id));
  }

  /** @param {boolean} all */
  pickAll(all) {
    this.picked = new Set(all ? this.shown.map((p) => p.id) : []);
    this.draw();
    this.tell.chosen();
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const page = Math.max(1, Math.floor(this.body.clientHeight / this.rowHeight()) - 1);
    const steps = /** @type {Record<string, number>} */ ({
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.shown.length, End: this.shown.length,
    });
    const id = this.shown[this.active]?.id;
    if (e.key in steps) this.move(steps[e.key], e.shiftKey);
    else if (!id) return;
    else if (e.key === "Enter") this.openActive();
    else if (e.key === " ") {
      if (!this.picked.delete(id)) this.picked.add(id);
      this.anchor = this.active;
      this.draw();
      this.tell.chosen();
    } else if (e.key === "Delete" || (e.key === "Backspace" && e.metaKey)) {
      if (this.picked.size === 0) this.picked.add(id);
      this.tell.chosen();
      this.tell.remove();
    } else if (e.key === "a" && (e.ctrlKey || e.metaKey)) this.pickAll(true);
    else return;
    e.preventDefault();
  }

  /**
   * @param {number} by
   * @param {boolean} extend
   */
  move(by, extend) {
    this.active = Math.max(0, Math.min(this.shown.length - 1, this.active + by));
    if (extend) this.pickRange(this.active);
    else {
      this.anchor = this.active;
      this.picked = new Set(this.shown.length ? [this.shown[this.active].id] : []);
    }
    this.tell.chosen();
    this.reveal();
  }

  /** Scrolls to the active row, after what is told may have made the table smaller. */
  reveal() {
    const height = this.rowHeight();
    const top = this.active * height;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    if (top + height > this.body.scrollTop + this.body.clientHeight) this.body.scrollTop = top + height - this.body.clientHeight;
    this.draw();
  }

  openActive() {
    const p = this.shown[this.active];
    if (p) this.tell.open(p);
  }

  /** What is picked, in the order that is shown. */
  chosen() {
    return this.shown.filter((p) => this.picked.has(p.id));
  }
}
