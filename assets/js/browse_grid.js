// A grid over any number of images that holds only the tiles that can be seen.

import { el, fill, format } from "./core.js";
import { icon, stateKey, stateMark } from "./components.js";
import { tileSize } from "./browse_filters.js";

const GAP = 10;
const PAD = 16;
const CAPTION = 54;
const OVERSCAN_ROWS = 2;
const SETTLE_MS = 50;
// Guesses in pixels at what a mark takes, so that names are rather left out than cut to a letter.
const MARK_WIDTH = 24;
const LETTER_WIDTH = 7;
const SCORE_WIDTH = 30;
const NO_WIDTH = 20;
const REST_WIDTH = 26;

export class Grid {
  constructor(context, { page, open, selected }) {
    this.context = context;
    this.page = page;
    this.onOpen = open;
    this.onSelected = selected;
    this.total = 0;
    this.size = 120;
    this.items = new Map();
    this.asked = new Set();
    this.tiles = new Map();
    this.selection = new Set();
    this.isAll = false;
    this.cursor = 0;
    this.anchor = 0;
    this.columns = 1;
    this.generation = 0;
    this.space = el("div", { class: "lm-br-space", role: "presentation" });
    this.node = el("div", { class: "lm-br-grid", role: "listbox", "aria-multiselectable": "true", "aria-label": "Images", tabindex: "0" }, this.space);
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    this.node.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.layout()).observe(this.node);
    context.bus.on("browse-size", () => this.layout());
  }

  /** Show that another answer is on its way. */
  wait() {
    this.node.setAttribute("aria-busy", "true");
  }

  set(view, className) {
    this.generation += 1;
    this.node.removeAttribute("aria-busy");
    this.total = view.total;
    this.size = view.page;
    this.className = className;
    this.items.clear();
    this.asked.clear();
    view.items.forEach((item, index) => this.items.set(index, item));
    if (view.items.length) this.asked.add(0);
    this.selection.clear();
    this.isAll = false;
    this.cursor = 0;
    this.anchor = 0;
    this.node.scrollTop = 0;
    this.node.setAttribute("aria-activedescendant", `lm-br-${this.cursor}`);
    this.dropTiles();
    this.layout();
  }

  layout() {
    const width = this.node.clientWidth - 2 * PAD;
    if (width <= 0) return;
    const wanted = tileSize();
    const columns = Math.max(1, Math.floor((width + GAP) / (wanted + GAP)));
    const side = Math.floor((width - GAP * (columns - 1)) / columns);
    const first = Math.floor(this.node.scrollTop / (this.rowHeight || 1)) * this.columns;
    const hasMoved = columns !== this.columns || side !== this.side;
    this.columns = columns;
    this.side = side;
    this.pictureHeight = Math.round(side * 0.75);
    this.rowHeight = this.pictureHeight + CAPTION + GAP;
    this.space.style.height = `${Math.ceil(this.total / columns) * this.rowHeight + 2 * PAD}px`;
    if (hasMoved) {
      this.dropTiles();
      this.node.scrollTop = Math.floor(first / columns) * this.rowHeight;
    }
    this.draw();
  }

  dropTiles() {
    this.tiles.clear();
    this.space.replaceChildren();
  }

  draw() {
    if (!this.rowHeight) return;
    const top = this.node.scrollTop;
    const firstRow = Math.max(0, Math.floor((top - PAD) / this.rowHeight) - OVERSCAN_ROWS);
    const lastRow = Math.ceil((top + this.node.clientHeight) / this.rowHeight) + OVERSCAN_ROWS;
    const first = firstRow * this.columns;
    const last = Math.min(this.total, lastRow * this.columns);
    for (const [index, tile] of this.tiles) {
      if (index < first || index >= last) {
        tile.remove();
        this.tiles.delete(index);
      }
    }
    const fresh = [];
    for (let index = first; index < last; index += 1) {
      if (this.tiles.has(index)) continue;
      const tile = this.tile(index);
      this.tiles.set(index, tile);
      fresh.push(tile);
    }
    this.space.append(...fresh);
    clearTimeout(this.timer);
    const blocks = this.missing(first, last);
    if (blocks.length) this.timer = setTimeout(() => blocks.forEach((block) => this.fetch(block)), this.items.size ? SETTLE_MS : 0);
  }

  missing(first, last) {
    const blocks = [];
    for (let block = Math.floor(first / this.size); block * this.size < last; block += 1) if (!this.asked.has(block)) blocks.push(block);
    return blocks;
  }

  async fetch(block) {
    if (this.asked.has(block)) return;
    this.asked.add(block);
    const generation = this.generation;
    try {
      const { items } = await this.page(block * this.size, this.size);
      if (generation !== this.generation) return;
      items.forEach((item, at) => this.take(block * this.size + at, item));
    } catch (error) {
      this.asked.delete(block);
      if (error.status !== 0) console.error(error);
    }
  }

  take(index, item) {
    this.items.set(index, item);
    const tile = this.tiles.get(index);
    if (tile) this.fillTile(tile, index);
  }

  /** Ask for what is on screen once more, without moving anything. */
  async refresh() {
    if (!this.total) return;
    const seen = new Set([...this.tiles.keys()].map((index) => Math.floor(index / this.size)));
    for (const block of [...this.asked]) if (!seen.has(block)) this.forget(block);
    for (const block of seen) {
      this.asked.delete(block);
      await this.fetch(block);
    }
  }

  forget(block) {
    this.asked.delete(block);
    for (let index = block * this.size; index < (block + 1) * this.size; index += 1) this.items.delete(index);
  }

  // tiles -----------------------------------------------------------------------------------------------------------

  tile(index) {
    const row = Math.floor(index / this.columns);
    const column = index % this.columns;
    const tile = el("div", {
      class: "lm-br-tile",
      role: "option",
      id: `lm-br-${index}`,
      dataset: { index: String(index) },
      style: { width: `${this.side}px`, height: `${this.rowHeight - GAP}px`, transform: `translate(${PAD + column * (this.side + GAP)}px, ${PAD + row * this.rowHeight}px)` },
    });
    this.fillTile(tile, index);
    return tile;
  }

  fillTile(tile, index) {
    const item = this.items.get(index);
    this.mark(tile, index);
    if (!item) {
      tile.setAttribute("aria-label", `Image ${format.number(index + 1)}, loading`);
      return fill(tile, el("span", { class: "lm-skeleton", style: { height: `${this.pictureHeight}px` } }), el("span", { class: "lm-skeleton lm-br-tile-line" }));
    }
    tile.setAttribute("aria-label", spoken(item, this.context.session.classNames));
    const source = this.context.thumb(item.id, this.side > 200 ? 384 : 256);
    let picture = tile.querySelector("img");
    if (!picture || picture.getAttribute("src") !== source) picture = el("img", { src: source, alt: "", decoding: "async", draggable: "false" });
    return fill(
      tile,
      el("span", { class: "lm-br-picture", style: { height: `${this.pictureHeight}px` } }, picture, item.split === "test" ? el("span", { class: "lm-br-split" }, "test") : null, el("span", { class: "lm-br-check", dataset: { check: "" } }, icon("check", { size: 14 }))),
      el("span", { class: "lm-br-caption" }, el("span", { class: "lm-br-marks" }, this.marks(item)), el("span", { class: "lm-br-name", title: item.path }, el("span", {}, item.path.split("/").at(-1)), el("span", { class: "lm-br-known" }, `${item.known}/${this.context.session.classNames.length}`))),
    );
  }

  marks(item) {
    const { classNames } = this.context.session;
    const names = item.cells.filter(([column, state, claim]) => state > 0 || claim > 0 || classNames[column] === this.className);
    if (!names.length) return el("span", { class: "lm-br-none" }, item.claims ? `${item.claims} pseudo-labels, all negative` : item.known ? "no known positive" : "nothing known");
    const room = this.room(names);
    const rest = Math.max(0, Math.max(item.positives, 0) + Math.max(item.proposed, 0) + names.length - names.filter(([, state, claim]) => state > 0 || claim > 0).length - room);
    const shown = names.slice(0, room).map(([column, state, claim, score]) => {
      const key = stateKey(state, claim);
      const isAsked = classNames[column] === this.className;
      return el(
        "span",
        { class: ["lm-br-mark", isAsked && "lm-br-mark-asked", `lm-br-mark-${key}`] },
        stateMark(key),
        el("span", { class: "lm-br-mark-name" }, classNames[column]),
        key === "pseudo" || (isAsked && score !== null) ? el("span", { class: "lm-number" }, format.score(score)) : null,
        key === "pseudo" && claim < 0 ? el("span", {}, "no") : null,
      );
    });
    return rest ? [shown, el("span", { class: "lm-br-more", title: "more positives and pseudo-labels" }, `+${rest}`)] : shown;
  }

  /** How many marks fit into a tile's line; one always does. */
  room(names) {
    let left = this.side - 16 - REST_WIDTH;
    let count = 0;
    for (const [column, state, claim, score] of names) {
      const { classNames } = this.context.session;
      const hasScore = (state === 0 && claim) || (classNames[column] === this.className && score !== null);
      left -= MARK_WIDTH + Math.min(classNames[column].length, 14) * LETTER_WIDTH + (hasScore ? SCORE_WIDTH : 0) + (claim < 0 && !state ? NO_WIDTH : 0);
      if (left < 0) break;
      count += 1;
    }
    return Math.max(1, count);
  }

  mark(tile, index) {
    const isChosen = this.isAll || this.selection.has(index);
    tile.setAttribute("aria-selected", String(isChosen));
    tile.classList.toggle("lm-br-at", index === this.cursor);
  }

  markAll() {
    for (const [index, tile] of this.tiles) this.mark(tile, index);
    this.node.setAttribute("aria-activedescendant", `lm-br-${this.cursor}`);
    this.onSelected();
  }

  // cursor and selection --------------------------------------------------------------------------------------------

  item(index) {
    return this.items.get(index);
  }

  indexOf(id) {
    for (const [index, item] of this.items) if (item.id === id) return index;
    return -1;
  }

  /** The neighbour of an image in the list, fetched if need be. */
  async neighbour(id, step) {
    const index = this.indexOf(id) + step;
    if (index < 0 || index >= this.total || index - step < 0) return null;
    if (!this.items.has(index)) await this.fetch(Math.floor(index / this.size));
    return this.items.get(index) ?? null;
  }

  focus() {
    this.node.focus({ preventScroll: true });
  }

  moveTo(index) {
    this.cursor = Math.max(0, Math.min(this.total - 1, index));
    const top = PAD + Math.floor(this.cursor / this.columns) * this.rowHeight;
    if (top < this.node.scrollTop) this.node.scrollTop = top - PAD;
    else if (top + this.rowHeight > this.node.scrollTop + this.node.clientHeight) this.node.scrollTop = top + this.rowHeight - this.node.clientHeight + PAD;
    this.draw();
    this.markAll();
  }

  step(by, isRange) {
    if (!this.total) return;
    const next = this.cursor + by;
    if (next < 0 || next >= this.total) return;
    this.moveTo(next);
    if (isRange) this.range(this.anchor, next);
    else this.anchor = next;
  }

  toggle(index) {
    if (this.isAll) this.clear();
    if (this.selection.has(index)) this.selection.delete(index);
    else this.selection.add(index);
    this.anchor = index;
    this.cursor = index;
    this.markAll();
  }

  range(from, to) {
    this.isAll = false;
    this.selection.clear();
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) this.selection.add(index);
    this.markAll();
  }

  all() {
    if (this.node.hasAttribute("aria-busy")) return; // another list is on its way
    this.isAll = this.total > 0;
    this.selection.clear();
    this.markAll();
  }

  clear() {
    this.isAll = false;
    this.selection.clear();
    this.markAll();
  }

  get count() {
    return this.isAll ? this.total : this.selection.size;
  }

  /** The ids of the selection, in the order of the list; whole pages are asked for where they are not here yet. */
  async selectedIds() {
    if (this.isAll) return (await this.context.api.get("/api/browse/ids", { view: this.view() })).ids;
    const chosen = [...this.selection].sort((a, b) => a - b);
    const blocks = new Set(chosen.filter((index) => !this.items.has(index)).map((index) => Math.floor(index / this.size)));
    for (const block of blocks) {
      this.asked.delete(block);
      await this.fetch(block);
    }
    return chosen.map((index) => this.items.get(index)?.id).filter(Boolean);
  }

  click(event) {
    const tile = event.target.closest(".lm-br-tile");
    if (!tile) return;
    const index = Number(tile.dataset.index);
    this.cursor = index;
    if (event.shiftKey) this.range(this.anchor, index);
    else if (event.ctrlKey || event.metaKey || event.target.closest("[data-check]")) this.toggle(index);
    else if (this.count) this.toggle(index);
    else {
      this.anchor = index;
      this.markAll();
      this.onOpen(index);
    }
  }
}

function spoken(item, classNames) {
  const words = item.cells.map(([column, state, claim]) => `${classNames[column]} ${{ positive: "positive", negative: "negative", pseudo: "pseudo-label", unknown: "unknown" }[stateKey(state, claim)]}`);
  return `${item.path}${words.length ? `: ${words.join(", ")}` : ""}`;
}
