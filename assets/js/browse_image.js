// One image with all its cells: their states, scores, history, and the images that look alike.

import { el, fill, format, debounce } from "./core.js";
import { button, choice, emptyState, errorState, icon, scoreBar, skeleton, stateKey, stateMark, STATES } from "./components.js";
import { virtualList } from "./virtual.js";

const ROW = 36;
const ORDER = { pseudo: 0, positive: 1, unknown: 2, negative: 3 };
const SEARCH_FROM = 12;
const SOURCES = ["nobody", "the import", "a person", "an accepted pseudo-label"];

export class ImageView {
  constructor(context, browser) {
    this.context = context;
    this.browser = browser;
    this.id = null;
    this.only = "";
    this.query = "";
    this.showsTruth = false;
    this.isLarge = false;
  }

  get isOpen() {
    return Boolean(this.node?.open);
  }

  async show(id) {
    if (!this.isOpen) this.build();
    if (this.id === id) return;
    this.id = id;
    this.cells = [];
    this.active = null;
    this.shownAt = performance.now();
    this.drawPicture();
    fill(this.list.node.firstChild, skeleton("300px"));
    await this.load();
    this.loadSimilar();
    this.prefetch();
  }

  hide() {
    if (!this.isOpen) return;
    this.browser.node.inert = false; // at once, so that the grid can take the focus
    this.node.close();
  }

  build() {
    this.id = null;
    this.picture = el("div", { class: "lm-bi-picture" });
    this.head = el("div", { class: "lm-bi-head" });
    this.list = virtualList({ rowHeight: ROW, render: (index) => this.row(this.shown[index], index), label: "Cells of this image", role: "grid" });
    this.list.node.classList.add("lm-bi-list");
    this.shown = [];
    this.history = el("div", { class: "lm-bi-history" });
    this.similar = el("div", { class: "lm-bi-similar" });
    const search = el("input", { class: "lm-input", type: "search", placeholder: "Find a class", "aria-label": "Find a class", oninput: debounce((event) => ((this.query = event.target.value.trim().toLowerCase()), this.draw()), 80) });
    const only = choice({
      label: "Which cells",
      value: this.only,
      options: [
        { value: "", label: "All" },
        { value: "pseudo", state: "pseudo", label: "Pseudo" },
        { value: "unknown", state: "unknown", label: "Open" },
        { value: "known", label: "Known" },
      ],
      onchange: (value) => ((this.only = value), this.draw()),
    });
    const truth = el("label", { class: "lm-bi-truth" }, el("input", { type: "checkbox", checked: this.showsTruth, onchange: (event) => ((this.showsTruth = event.target.checked), this.draw()) }), "Show the truth");
    this.node = el(
      "dialog",
      { class: "lm lm-bi", "data-lm-keys": "", "aria-label": "Image" },
      this.picture,
      el(
        "div",
        { class: "lm-bi-side" },
        this.head,
        el("div", { class: "lm-bi-tools" }, only, this.context.session.classNames.length >= SEARCH_FROM ? el("span", { class: "lm-search" }, icon("search"), search) : null, this.context.session.trial ? truth : null),
        this.list.node,
        this.hints(),
        this.history,
        this.similar,
      ),
    );
    this.node.addEventListener("close", () => {
      this.dropKeys?.();
      this.node.remove();
      this.browser.node.inert = false;
      this.id = null;
    });
    document.body.append(this.node);
    this.node.show(); // not modal: the tabs above stay in reach, while the covered grid does not
    this.browser.node.inert = true;
    this.list.node.focus({ preventScroll: true });
    this.dropKeys = this.context.keys.layer("browse-image", this.actions());
  }

  actions() {
    const key = (name, fallback) => this.browser.reviewKey(name, fallback);
    const act = (name, at, run, repeat = false) => ({ name, key: at, run, repeat });
    return [
      act("up", "ArrowUp", () => this.move(-1), true),
      act("down", "ArrowDown", () => this.move(1), true),
      act("before", "ArrowLeft", () => this.go(-1), true),
      act("after", "ArrowRight", () => this.go(1), true),
      act("yes", key("yes", "y"), () => this.answer(1)),
      act("no", key("no", "n"), () => this.answer(-1)),
      act("accept", key("accept", "a"), () => this.answerClaim(1)),
      act("reject", key("reject", "r"), () => this.answerClaim(-1)),
      act("unsure", key("unsure", "u"), () => this.answer(0)),
      act("undo", key("undo", "z"), () => this.browser.undo()),
      act("redo", key("redo", "x"), () => this.browser.redo()),
      act("zoom", key("zoom", "e"), () => this.zoom()),
      act("close", "Escape", () => this.browser.close()),
    ];
  }

  hints() {
    const key = (name, fallback) => this.context.keys.name(this.browser.reviewKey(name, fallback));
    const hint = (keys, words) => el("span", {}, keys.map((one) => el("kbd", { class: "lm-key" }, one)), ` ${words}`);
    return el(
      "p",
      { class: "lm-bi-hints" },
      hint(["↑", "↓"], "cell"),
      hint([key("yes", "y"), key("no", "n"), key("unsure", "u")], "yes, no, unknown"),
      hint([key("undo", "z")], "undo"),
      hint(["←", "→"], "image"),
    );
  }

  // data ------------------------------------------------------------------------------------------------------------

  async load() {
    const id = this.id;
    try {
      const image = await this.context.api.get(`/api/cells/image/${id}`);
      if (id !== this.id) return;
      this.image = image;
      this.cells = image.cells;
      const wanted = this.active ?? this.browser.params.class;
      if (image.width === null) this.drawBroken();
      this.drawHead();
      this.draw();
      this.active = this.shown.find((cell) => cell.class === wanted)?.class ?? this.shown[0]?.class ?? null;
      this.draw();
      this.loadHistory();
    } catch (error) {
      fill(this.head, errorState(error, () => this.load()));
    }
  }

  async refresh() {
    if (!this.isOpen || !this.id) return;
    const id = this.id;
    const image = await this.context.api.get(`/api/cells/image/${id}`).catch(() => null);
    if (!image || id !== this.id) return;
    this.image = image;
    const fresh = new Map(image.cells.map((cell) => [cell.class, cell]));
    this.cells = image.cells;
    this.shown = this.shown.map((cell) => fresh.get(cell.class)); // the order stays, so that nothing jumps
    this.drawHead();
    this.list.redraw();
    this.loadHistory();
  }

  async loadSimilar() {
    const id = this.id;
    fill(this.similar, el("h3", {}, "Similar images"), el("div", { class: "lm-bi-strip" }, Array.from({ length: 6 }, () => skeleton("64px", "64px"))));
    const found = await this.context.api.get(`/api/browse/similar/${id}`).catch((error) => ({ error }));
    if (id !== this.id) return;
    const { address, thumb } = this.context;
    const link = (image) =>
      el("a", { href: address.of("browse", { ...this.browser.params, image: image.id }), title: `${image.path} (${format.score(image.likeness)})` }, el("img", { src: thumb(image.id, 128), alt: image.path, loading: "lazy" }));
    const body = found.error
      ? el("p", { class: "lm-soft" }, found.error.message)
      : found.images.length
        ? el("div", { class: "lm-bi-strip" }, found.images.map(link))
        : el("p", { class: "lm-soft" }, "After the first run, the images that look most alike stand here.");
    fill(this.similar, el("h3", {}, "Similar images", found.run ? el("span", { class: "lm-soft" }, ` by the features of run ${found.run}`) : null), body);
  }

  loadHistory = debounce(async () => {
    const cell = this.activeCell();
    if (!cell || !this.isOpen) return;
    const { lines } = await this.context.api.get("/api/cells/history", { image: this.id, class: cell.class }).catch(() => ({ lines: [] }));
    if (this.activeCell()?.class !== cell.class) return;
    const source = cell.state ? `Known from ${SOURCES[cell.source]}.` : cell.proposal ? `Run ${this.image.run} proposes it.` : "Nobody has looked at it.";
    fill(
      this.history,
      el("h3", {}, "History of ", el("span", { class: "lm-bi-class" }, cell.class)),
      lines.length
        ? el("ol", {}, lines.slice(0, 8).map((line) => historyLine(line)))
        : el("p", { class: "lm-soft" }, source),
    );
  }, 120);

  async prefetch() {
    const id = this.id;
    for (const step of [1, -1]) {
      const next = await this.browser.grid.neighbour(id, step);
      if (next && id === this.id) new Image().src = this.context.media(next.id, 1024);
    }
  }

  // drawing ---------------------------------------------------------------------------------------------------------

  drawPicture() {
    const image = el("img", { src: this.context.media(this.id, this.isLarge ? 4096 : 1024), alt: "", class: this.isLarge ? "lm-bi-large" : "" });
    fill(
      this.picture,
      el("div", { class: "lm-bi-frame", tabindex: this.isLarge ? "0" : null }, image),
      button("Image before", { icon: "left", hidden_label: true, onclick: () => this.go(-1) }),
      button("Next image", { icon: "right", hidden_label: true, onclick: () => this.go(1) }),
      button(this.isLarge ? "Fit the picture" : "Enlarge the picture", { icon: "zoom", hidden_label: true, onclick: () => this.zoom() }),
    );
  }

  drawBroken() {
    fill(this.picture.querySelector(".lm-bi-frame"), emptyState({ title: "This image can't be shown", body: "The file is missing or broken. Its labels are kept.", drawing: "warning" }));
  }

  drawHead() {
    const { image } = this;
    const count = (key) => this.cells.filter((cell) => stateKey(cell.state, cell.proposal) === key).length;
    const [folder, name] = [image.path.split("/").slice(0, -1).join("/"), image.path.split("/").at(-1)];
    fill(
      this.head,
      el("div", { class: "lm-bi-title" }, el("h2", { title: image.path }, name), button("Close", { kind: "quiet", icon: "close", hidden_label: true, onclick: () => this.browser.close() })),
      el("p", { class: "lm-soft" }, [folder, image.width ? `${image.width} × ${image.height}` : "can't be read", image.split].filter(Boolean).join(" · ")),
      el("p", { class: "lm-bi-counts" }, ["positive", "negative", "pseudo", "unknown"].map((key) => el("span", { title: STATES[key].word }, stateMark(key), el("span", { class: "lm-sr" }, STATES[key].word), ` ${format.number(count(key))}`))),
    );
  }

  draw() {
    const fits = { "": () => true, pseudo: (cell) => !cell.state && cell.proposal, unknown: (cell) => !cell.state, known: (cell) => cell.state }[this.only];
    const rank = (cell) => ORDER[stateKey(cell.state, cell.proposal)];
    const confidence = (cell) => (cell.score === null ? 0 : cell.proposal < 0 ? 1 - cell.score : cell.score);
    this.shown = this.cells
      .filter((cell) => fits(cell) && cell.class.toLowerCase().includes(this.query))
      .sort((a, b) => rank(a) - rank(b) || (b.proposal > 0) - (a.proposal > 0) || confidence(b) - confidence(a));
    this.list.setCount(this.shown.length);
    if (!this.shown.length && this.cells.length) fill(this.list.node.firstChild, el("p", { class: "lm-soft lm-bi-nothing" }, "No cell of this kind."));
  }

  row(cell, index) {
    const key = stateKey(cell.state, cell.proposal);
    const isActive = cell.class === this.active;
    const set = (state, mark, word) =>
      el("button", { type: "button", class: "lm-bi-set", tabindex: "-1", "aria-pressed": String(cell.state === state), title: `${cell.class}: ${word}`, "aria-label": `${cell.class}: ${word}`, onclick: () => this.pick(cell, state) }, stateMark(mark));
    const claim = key === "pseudo" ? (cell.proposal > 0 ? "proposed: yes" : "proposed: no") : cell.unsure >= 0 && !cell.state ? "unsure" : "";
    return el(
      "div",
      {
        class: ["lm-bi-row lm-virtual-row", isActive && "lm-bi-active"],
        role: "row",
        "aria-selected": String(isActive),
        id: `lm-bi-${index}`,
        onclick: (event) => !event.target.closest("button") && this.activate(index),
      },
      stateMark(key),
      el("span", { class: "lm-bi-class", role: "rowheader", title: cell.class }, cell.class, el("span", { class: "lm-sr" }, `, ${STATES[key].word}`)),
      el("span", { class: "lm-bi-claim", role: "gridcell" }, this.showsTruth && cell.truth !== null ? truthMark(cell) : claim),
      el("span", { role: "gridcell" }, scoreBar(cell.score)),
      el("span", { class: "lm-bi-sets", role: "gridcell" }, set(1, "positive", "positive"), set(-1, "negative", "negative"), set(0, "unknown", "unknown")),
    );
  }

  // acting ----------------------------------------------------------------------------------------------------------

  activeCell() {
    return this.shown.find((cell) => cell.class === this.active) ?? null;
  }

  activate(index) {
    this.active = this.shown[index]?.class ?? null;
    this.list.redraw();
    this.list.node.setAttribute("aria-activedescendant", `lm-bi-${index}`);
    this.loadHistory();
  }

  move(by) {
    if (!this.shown.length) return;
    const at = this.shown.findIndex((cell) => cell.class === this.active);
    const next = Math.max(0, Math.min(this.shown.length - 1, at + by));
    const { node } = this.list;
    if (next * ROW < node.scrollTop) node.scrollTop = next * ROW;
    if ((next + 1) * ROW > node.scrollTop + node.clientHeight) node.scrollTop = (next + 1) * ROW - node.clientHeight;
    this.activate(next);
  }

  async go(step) {
    const next = await this.browser.grid.neighbour(this.id, step);
    if (!next) return;
    this.browser.grid.moveTo(this.browser.grid.indexOf(next.id));
    this.context.address.set("browse", { ...this.browser.params, image: next.id }, { replace: true });
  }

  zoom() {
    this.isLarge = !this.isLarge;
    this.drawPicture();
  }

  pick(cell, state) {
    this.active = cell.class;
    this.answer(state);
  }

  /** Accept (1) or reject (-1) what is proposed. */
  answerClaim(sign) {
    const cell = this.activeCell();
    if (cell?.proposal && !cell.state) this.answer(cell.proposal * sign);
  }

  async answer(state) {
    const cell = this.activeCell();
    if (!cell) return;
    const isClaim = !cell.state && cell.proposal !== 0;
    const said = !isClaim ? "set" : state === 0 ? "unsure" : state === cell.proposal ? "accept" : "reject";
    const before = { ...cell };
    const ms = performance.now() - this.shownAt;
    this.shownAt = performance.now();
    cell.state = state;
    if (state === 0 && isClaim) cell.proposal = 0;
    this.list.redraw(); // at once; the server's word follows
    const done = await this.browser.decide([[this.id, cell.class, state, said, cell.score]], { run: isClaim ? this.image.run : null, ms });
    if (!done) {
      Object.assign(cell, before);
      this.list.redraw();
    }
  }
}

function truthMark(cell) {
  const word = cell.truth > 0 ? "truly there" : cell.truth < 0 ? "truly absent" : "truth unknown";
  const claimed = cell.state || cell.proposal;
  const isWrong = claimed && cell.truth && claimed !== cell.truth;
  return el("span", { class: isWrong ? "lm-bi-wrong" : "" }, isWrong ? icon("warning", { size: 12 }) : null, word);
}

function historyLine(line) {
  const words = { 1: "positive", "-1": "negative", 0: "unknown" };
  const said = line.kind === "undo" ? "undid: back to" : line.kind === "redo" ? "redid:" : { accept: "accepted:", reject: "rejected: now", unsure: "was unsure:", skip: "skipped:", set: "set to" }[line.answer] ?? line.answer;
  return el(
    "li",
    { class: line.undone ? "lm-bi-undone" : "" },
    stateMark(line.after),
    el("span", {}, el("b", {}, line.who), ` ${said} ${words[line.after]}`, line.bulk > 1 ? ` (one of ${format.number(line.bulk)})` : "", line.note ? ` – ${line.note}` : ""),
    el("time", { class: "lm-soft", datetime: line.time }, format.time(line.time)),
  );
}
