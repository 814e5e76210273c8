// One class a page: tiles start undecided, the exceptions are marked, the rest is confirmed in one go.

import { article } from "./review_stream.js";
import { filterBar, queryOf } from "./review_filters.js";

const SIZES = [12, 24, 48];
const THUMB = 256;
const PREVIEW_SIDE = 1024;
const PREVIEW_WAIT_MS = 350;
const SEEN_SHARE = 0.6;
const MARKS = { wrong: "✕", unsure: "?" };

export class Grid {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    this.holder = `${desk.holder}:grid`;
    this.pages = [];
    this.index = 0;
    this.generation = 0;
    this.counts = new Map();
    this.preloaded = new Map();
    this.build();
  }

  build() {
    const { el } = this.context;
    this.barSlot = el("div", { class: "lm-review-barslot" });
    this.question = el("h2", { class: "lm-question" });
    this.sub = el("p", { class: "lm-grid-sub" });
    this.tiles = el("div", { class: "lm-tiles", role: "group", "aria-label": "Tiles" });
    this.confirmButton = this.desk.actionButton("confirm", "Confirm the rest", { class: "lm-button-primary" });
    this.backButton = this.desk.actionButton("back", "Back");
    this.forwardButton = this.desk.actionButton("forward", "Leave undecided");
    this.summary = el("p", { class: "lm-grid-summary", role: "status" });
    this.foot = el("div", { class: "lm-grid-foot" }, this.summary, this.backButton, this.forwardButton, this.confirmButton);
    this.emptyState = el("div", { class: "lm-review-empty", hidden: true });
    this.preview = el("div", { class: "lm-tile-preview", hidden: true, "aria-hidden": "true" });
    this.root.replaceChildren(
      this.barSlot,
      el("div", { class: "lm-grid-head" }, this.question, this.sub),
      this.tiles,
      this.emptyState,
      this.foot,
      this.preview,
    );
    this.watcher = new IntersectionObserver((entries) => this.onSeen(entries), { threshold: SEEN_SHARE, rootMargin: "0px 0px -56px 0px" });
  }

  get page() {
    return this.pages[this.index];
  }

  async show(params) {
    this.params = { ...params, sign: params.sign === "-1" ? "-1" : "1", size: SIZES.includes(Number(params.size)) ? params.size : "24" };
    const key = JSON.stringify([this.params.class, this.params.sign, this.params.size, this.params.split, this.params.run]);
    if (key === this.key && this.page) return;
    this.key = key;
    await this.loadCounts();
    if (!this.params.class) this.params.class = this.richestClass();
    this.drawBar();
    this.restart();
  }

  async loadCounts() {
    try {
      const reply = await this.context.api.get("/api/review/classes");
      this.counts = new Map(reply.classes.map((entry) => [entry.name, entry]));
    } catch (error) {
      this.context.toastError(error);
    }
  }

  richestClass() {
    const side = this.params.sign === "1" ? "positive" : "negative";
    const sorted = [...this.counts.values()].sort((one, other) => other[side] - one[side]);
    return sorted[0]?.name ?? this.context.session.classNames[0] ?? "";
  }

  drawBar() {
    this.barSlot.replaceChildren(
      filterBar(this.context, {
        values: this.params,
        splits: this.desk.splits,
        parts: ["class", "one-class", "sign", "one-sign", "run", "split", "size"],
        change: (name, value) => this.desk.setParams({ class: this.params.class, sign: this.params.sign, [name]: value }),
      }),
    );
  }

  restart() {
    this.generation += 1;
    const held = this.pages.filter((page) => !page.done).flatMap((page) => page.items.map((item) => item.cell));
    this.desk.release(held, this.holder);
    this.pages = [];
    this.index = 0;
    this.tiles.replaceChildren();
    this.load();
  }

  runChanged() {
    this.key = null;
    if (this.desk.current === "grid") this.show(this.context.address.get().params);
  }

  hide() {
    this.hidePreview();
  }

  // pages ------------------------------------------------------------------------

  /** Show the page at the index, asking for it where it has not come yet. */
  async load() {
    const generation = this.generation;
    if (!this.page) {
      this.root.dataset.state = "loading";
      const found = await this.fetchPage(this.pages);
      if (generation !== this.generation || !found) return;
      this.pages.push(found);
    }
    this.paint();
    this.prefetch();
  }

  async fetchPage(before) {
    const size = Number(this.params.size);
    const open = before.filter((page) => !page.done).flatMap((page) => page.items.map((item) => item.cell));
    const query = { ...queryOf({ ...this.params, order: "confident", scope: "proposals", band: "" }) };
    try {
      const reply = await this.context.api.post("/api/review/queue", { query, want: size, have: open, holder: this.holder, plant: true });
      const waiting = this.desk.unsentCells();
      const items = reply.items.filter((item) => !waiting.has(`${item.image} ${item.class}`));
      return { items, total: reply.total, empty: reply.empty, run: reply.run, marks: new Map(), seen: new Set(), done: false };
    } catch (error) {
      this.root.dataset.state = "ready";
      this.paintEmpty({ title: "The page could not be read", text: error.message, retry: true });
      return null;
    }
  }

  async prefetch() {
    if (this.pages[this.index + 1] || this.prefetching || !this.page?.items.length) return;
    this.prefetching = true;
    const generation = this.generation;
    const next = await this.fetchPage(this.pages);
    this.prefetching = false;
    if (generation !== this.generation || !next || !next.items.length) return;
    this.pages.push(next);
    next.items.forEach((item) => {
      const image = new Image();
      image.src = this.context.thumb(item.image, THUMB);
      this.preloaded.set(item.image, image);
    });
  }

  // drawing ----------------------------------------------------------------------

  paint() {
    this.hidePreview();
    const page = this.page;
    this.root.dataset.state = "ready";
    const hasTiles = page.items.length > 0;
    this.emptyState.hidden = hasTiles;
    this.foot.hidden = !hasTiles;
    this.paintHead(page);
    if (!hasTiles) {
      this.tiles.replaceChildren();
      this.paintEmpty(page.empty ?? { title: "No more pages", text: "Every pseudo-label here has been looked at." });
      return;
    }
    this.watcher.disconnect();
    this.tiles.dataset.size = this.params.size;
    this.tiles.replaceChildren(...page.items.map((item, place) => this.tile(item, place)));
    this.shownAt = performance.now();
    this.anchor = 0;
    this.tiles.children[0].focus({ preventScroll: true });
    this.paintFoot();
  }

  paintHead(page) {
    const { el, format } = this.context;
    const name = this.params.class;
    const isPositive = this.params.sign === "1";
    this.question.replaceChildren(
      ...(isPositive ? ["Which of these have no ", el("em", {}, name), "?"] : [`Which of these do have ${article(name)} `, el("em", {}, name), "?"]),
    );
    const claim = isPositive ? "The model thinks there is one in each" : "The model thinks there is none in any";
    const left = page.total ? ` · ${format.number(page.total)} pseudo-labels wait` : "";
    this.sub.textContent = `${claim}. Mark the exceptions, confirm the rest.${left}`;
  }

  tile(item, place) {
    const { el } = this.context;
    const image = el("img", { src: this.context.thumb(item.image, THUMB), alt: "", draggable: "false", decoding: "async" });
    const mark = el("span", { class: "lm-tile-mark", "aria-hidden": "true" });
    const tile = el(
      "button",
      { type: "button", class: "lm-tile", tabindex: place === 0 ? "0" : "-1", "data-place": String(place), "data-cell": `${item.image} ${item.class}` },
      image,
      mark,
    );
    tile.addEventListener("click", (event) => this.onClick(event, place));
    tile.addEventListener("focus", () => this.moveTo(place));
    tile.addEventListener("pointerenter", () => this.planPreview(tile, item));
    tile.addEventListener("pointerleave", () => this.hidePreview());
    const begin = () => this.watcher.observe(tile);
    if (image.complete) begin();
    else {
      image.addEventListener("load", begin, { once: true });
      image.addEventListener("error", begin, { once: true });
    }
    this.paintTile(tile, item);
    return tile;
  }

  paintTile(tile, item) {
    const mark = this.page.marks.get(item.cell) ?? "";
    tile.dataset.mark = mark;
    tile.querySelector(".lm-tile-mark").textContent = MARKS[mark] ?? "";
    tile.setAttribute("aria-pressed", String(Boolean(mark)));
    const words = { wrong: "marked as an exception", unsure: "unsure" }[mark] ?? "undecided";
    tile.setAttribute("aria-label", `Tile ${Number(tile.dataset.place) + 1}: ${words}`);
  }

  paintFoot() {
    const { format } = this.context;
    const page = this.page;
    const marks = [...page.marks.values()];
    const wrong = marks.filter((mark) => mark === "wrong").length;
    const unsure = marks.length - wrong;
    const rest = page.items.length - marks.length;
    const unseen = page.items.length - page.seen.size;
    const name = this.params.class;
    const label = this.confirmButton.querySelector(".lm-action-label");
    label.textContent = rest ? `Confirm the rest: ${rest}` : "Save the marks";
    this.confirmButton.disabled = page.done || unseen > 0;
    this.forwardButton.querySelector(".lm-action-label").textContent = page.done ? "Next page" : "Leave undecided";
    this.backButton.disabled = this.index === 0;
    const parts = [];
    if (page.done) parts.push("This page is settled");
    else if (unseen) parts.push(`${format.plural(unseen, "tile")} not on screen yet: scroll to see them all`);
    else parts.push(`${rest} ${this.params.sign === "1" ? "with" : "without"} ${name}`);
    if (wrong) parts.push(`${format.plural(wrong, "exception")}`);
    if (unsure) parts.push(`${unsure} unsure`);
    this.summary.textContent = parts.join(" · ");
  }

  paintEmpty(empty) {
    const { el } = this.context;
    const steps = (empty.steps ?? []).map((step) => el("button", { class: "lm-button", type: "button", onclick: () => this.desk.follow(step) }, step.label));
    if (empty.retry) steps.push(el("button", { class: "lm-button", type: "button", onclick: () => this.restart() }, "Try again"));
    this.emptyState.hidden = false;
    this.emptyState.replaceChildren(
      el("p", { class: "lm-review-empty-title" }, empty.title),
      el("p", { class: "lm-review-empty-text" }, empty.text ?? ""),
      el("div", { class: "lm-review-empty-steps" }, ...steps),
    );
  }

  onSeen(entries) {
    const page = this.page;
    if (!page) return;
    entries.forEach((entry) => {
      const item = page.items[Number(entry.target.dataset.place)];
      if (!entry.isIntersecting || !item || entry.target.dataset.cell !== `${item.image} ${item.class}`) return;
      page.seen.add(item.cell);
      this.watcher.unobserve(entry.target);
    });
    this.paintFoot();
  }

  // preview ----------------------------------------------------------------------

  planPreview(tile, item) {
    clearTimeout(this.previewTimer);
    this.previewTimer = setTimeout(() => this.showPreview(tile, item), PREVIEW_WAIT_MS);
  }

  showPreview(tile, item) {
    const box = tile.getBoundingClientRect();
    const image = this.context.el("img", { src: this.context.media(item.image, PREVIEW_SIDE), alt: "" });
    this.preview.replaceChildren(image);
    this.preview.dataset.side = box.left + box.width / 2 < window.innerWidth / 2 ? "right" : "left";
    this.preview.hidden = false;
  }

  hidePreview() {
    clearTimeout(this.previewTimer);
    this.preview.hidden = true;
  }

  // marking ----------------------------------------------------------------------

  onClick(event, place) {
    const page = this.page;
    if (page.done) return;
    const cycle = { "": "wrong", wrong: "unsure", unsure: "" };
    if (event.shiftKey) {
      const [from, to] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
      const mark = page.marks.get(page.items[this.anchor].cell) ?? "wrong";
      for (let index = from; index <= to; index += 1) this.mark(index, mark);
    } else {
      this.mark(place, cycle[page.marks.get(page.items[place].cell) ?? ""]);
      this.anchor = place;
    }
    this.paintFoot();
  }

  mark(place, mark) {
    const page = this.page;
    const item = page.items[place];
    if (!item || page.done) return;
    if (mark) page.marks.set(item.cell, mark);
    else page.marks.delete(item.cell);
    this.paintTile(this.tiles.children[place], item);
  }

  focused() {
    const place = Number(document.activeElement?.dataset?.place ?? -1);
    return place >= 0 && this.tiles.contains(document.activeElement) ? place : Number(this.tiles.querySelector('[tabindex="0"]')?.dataset.place ?? 0);
  }

  moveTo(place) {
    this.tiles.querySelectorAll('[tabindex="0"]').forEach((tile) => tile.setAttribute("tabindex", "-1"));
    this.tiles.children[place]?.setAttribute("tabindex", "0");
  }

  step(by) {
    const next = Math.min(Math.max(this.focused() + by, 0), this.tiles.children.length - 1);
    this.tiles.children[next]?.focus();
  }

  act(name) {
    if (!this.page?.items.length) return;
    const columns = getComputedStyle(this.tiles).gridTemplateColumns.split(" ").length;
    const steps = { left: -1, right: 1, up: -columns, down: columns };
    const marks = { no: "wrong", reject: "wrong", unsure: "unsure", yes: "", accept: "" };
    if (name in steps) this.step(steps[name]);
    else if (name in marks) {
      this.mark(this.focused(), marks[name]);
      this.paintFoot();
    } else if (name === "confirm") this.confirm();
    else if (name === "forward") this.turn(1);
    else if (name === "back") this.turn(-1);
    else if (name === "zoom") this.togglePreview();
    else if (name === "next") this.nextClass();
  }

  togglePreview() {
    const place = this.focused();
    if (!this.preview.hidden) this.hidePreview();
    else this.showPreview(this.tiles.children[place], this.page.items[place]);
  }

  nextClass() {
    const names = this.context.session.classNames;
    this.desk.setParams({ class: names[(names.indexOf(this.params.class) + 1) % names.length], sign: this.params.sign });
  }

  turn(by) {
    if (this.index + by < 0) return;
    if (by > 0 && !this.page.items.length) return;
    this.index += by;
    this.load();
  }

  /** Write the page: one line in the journal, one undo. */
  confirm() {
    const page = this.page;
    if (this.confirmButton.disabled) return;
    const sign = Number(this.params.sign);
    const cells = page.items.map((item) => {
      const mark = page.marks.get(item.cell);
      if (mark === "unsure") return [item.image, item.class, 0, "unsure", item.score];
      return [item.image, item.class, mark ? -sign : sign, mark ? "reject" : "accept", item.score];
    });
    const body = { origin: "grid", run: page.run, ms: Math.round(performance.now() - this.shownAt), suggestion: "shown", tiles: cells.length, cells };
    const index = this.index;
    page.done = true;
    this.desk.send(body, {
      label: `${cells.length} tiles of ${this.params.class}`,
      restore: () => this.reopen(page, index),
      replay: () => {
        page.done = true;
        if (this.page === page) this.turn(1);
      },
    });
    this.turn(1);
  }

  reopen(page, index) {
    page.done = false;
    if (this.pages[index] !== page) return;
    this.index = index;
    if (this.desk.current === "grid") this.paint();
  }
}
