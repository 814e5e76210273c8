// The truth table of a blend: for each class the sources' states, the OR, the reason, and the answers that would settle it.

import { button, choice, stateMark } from "./components.js";
import { el, fill } from "./core.js";

const MANY = 30;
const SORTED_FROM = 9;
const PAGE = 120;
const WORDS = { 1: "positive", 0: "unknown", "-1": "negative" };
const FILTERS = [
  { value: "all", label: "All", keeps: () => true },
  { value: "decided", label: "Decided", keeps: (row) => row.result !== 0 },
  { value: "open", label: "Open", state: "unknown", keeps: (row) => row.result === 0 },
  { value: "positive", label: "Positive", state: "positive", keeps: (row) => row.result === 1 },
  { value: "negative", label: "Negative", state: "negative", keeps: (row) => row.result === -1 },
];

class TruthPanel {
  constructor(lab) {
    this.lab = lab;
    this.filter = null;
    this.query = "";
    this.order = null;
    this.most = PAGE;
    this.seen = new Map();
    this.answered = new Set();
    this.build();
  }

  build() {
    this.filters = choice({ label: "Which classes to show", options: this.filterOptions(null), value: "all", onchange: (value) => this.setFilter(value) });
    this.search = el("input", { type: "search", class: "lm-input lm-truth-search", placeholder: "Find a class", "aria-label": "Find a class" });
    this.search.addEventListener("input", () => {
      this.query = this.search.value.trim().toLowerCase();
      this.render(this.blend);
    });
    this.pseudoBox = el("input", { type: "checkbox", onchange: () => this.lab.setPseudo(this.pseudoBox.checked) });
    const explained = "Late in a run the trainer fills unknown cells with its own pseudo-labels; they then take part in the OR.";
    const pseudo = el("label", { class: "lm-blend-check", title: explained }, this.pseudoBox, stateMark("pseudo"), "fill in pseudo-labels");
    this.headRow = el("tr", {});
    this.rows = el("tbody", {});
    this.table = el("table", { class: "lm-truth" }, el("caption", { class: "lm-sr" }, "Truth table of the blend"), el("thead", {}, this.headRow), this.rows);
    this.verdict = el("p", { class: "lm-truth-verdict" });
    this.more = button("", { kind: "quiet", onclick: () => this.showMore() });
    this.nothing = el("p", { class: "lm-truth-nothing", hidden: true });
    this.node = el("div", { class: "lm-truth-panel" }, el("div", { class: "lm-truth-bar" }, this.filters, this.search, pseudo), this.verdict, el("div", { class: "lm-truth-scroll" }, this.table), this.more, this.nothing);
  }

  filterOptions(counts) {
    const number = { all: counts?.all, decided: counts ? counts.positive + counts.negative : undefined, open: counts?.open, positive: counts?.positive, negative: counts?.negative };
    return FILTERS.map(({ value, label, state }) => ({ value, state, label: number[value] === undefined ? label : `${label} ${number[value]}` }));
  }

  /** Another blend is coming: nothing of this one is kept. */
  forget() {
    this.order = null;
    this.most = PAGE;
    this.seen.clear();
    this.answered.clear();
  }

  /** A class was answered: its row stays, even where the filter would drop it. */
  touched(className) {
    this.answered.add(className);
    this.focusOn = className;
  }

  showMore() {
    const next = this.rows.childElementCount;
    this.most += PAGE;
    this.render(this.blend);
    this.rows.children[next]?.querySelector("th")?.focus({ preventScroll: true });
  }

  setFilter(value) {
    this.filter = value;
    this.most = PAGE;
    this.answered.clear();
    this.render(this.blend);
  }

  render(blend) {
    this.blend = blend;
    this.node.hidden = !blend;
    if (!blend) return;
    if (this.filter === null) this.filter = blend.rows.length > MANY ? "decided" : "all";
    this.pseudoBox.checked = blend.with_pseudo;
    this.drawFilters(blend.counts);
    this.search.hidden = blend.rows.length <= 12;
    this.drawHead(blend.sources);
    const shown = this.ordered(blend.rows).filter((row) => this.keeps(row));
    this.rows.replaceChildren(...shown.slice(0, this.most).map((row) => this.row(row)));
    this.more.hidden = shown.length <= this.most;
    this.more.textContent = `Show ${Math.min(PAGE, shown.length - this.most)} more of ${shown.length}`;
    this.nothing.hidden = shown.length > 0;
    this.nothing.textContent = this.query ? `No class of this kind is called “${this.query}”.` : "No class of this kind in this blend.";
    this.verdict.replaceChildren(...this.verdictWords(blend));
    for (const row of blend.rows) this.seen.set(row.class, row.result);
    this.restoreFocus();
  }

  drawFilters(counts) {
    const hadFocus = this.filters.contains(document.activeElement);
    const made = choice({ label: "Which classes to show", options: this.filterOptions(counts), value: this.filter, onchange: (value) => this.setFilter(value) });
    this.filters.replaceWith(made);
    this.filters = made;
    if (hadFocus) made.querySelector('[aria-checked="true"]')?.focus();
  }

  ordered(rows) {
    if (!this.order) {
      const rank = (row) => (row.result === 1 ? 0 : row.result === -1 ? 1 : 2);
      const sorted = rows.length >= SORTED_FROM ? [...rows].sort((a, b) => rank(a) - rank(b)) : rows;
      this.order = new Map(sorted.map((row, i) => [row.class, i]));
    }
    return [...rows].sort((a, b) => this.order.get(a.class) - this.order.get(b.class));
  }

  keeps(row) {
    if (this.query && !row.class.toLowerCase().includes(this.query)) return false;
    return this.answered.has(row.class) || FILTERS.find((filter) => filter.value === this.filter).keeps(row);
  }

  drawHead(sources) {
    const heads = sources.map((source, i) => el("th", { scope: "col", class: "lm-truth-source", title: source.path }, el("span", { class: "lm-sr" }, "image "), el("span", { class: "lm-truth-number" }, i + 1)));
    fill(this.headRow, el("th", { scope: "col" }, "Class"), heads, el("th", { scope: "col" }, "Blend"), el("th", { scope: "col" }, "Why"));
  }

  row(row) {
    const before = this.seen.get(row.class);
    const changed = before !== undefined && before !== row.result;
    const cells = row.states.map((_, position) => this.sourceCell(row, position));
    const name = el("th", { scope: "row", class: "lm-truth-class", title: row.class, tabindex: "-1" }, row.class);
    return el("tr", { class: [`is-${WORDS[row.result]}`, changed && "is-changed"], dataset: { class: row.class } }, name, cells, this.resultCell(row), this.reasonCell(row));
  }

  sourceCell(row, position) {
    const state = row.states[position];
    const decides = row.deciding.includes(position);
    if (state !== 0) {
      return el("td", { class: ["lm-truth-state", decides && "is-deciding"] }, stateMark(state), el("span", { class: "lm-sr" }, WORDS[state]));
    }
    return el("td", { class: ["lm-truth-state", "is-unknown", decides && "is-deciding"] }, this.ask(row, position));
  }

  ask(row, position) {
    const claim = row.pseudo[position];
    const score = row.scores?.[position];
    const answer = (state, words) => {
      const proposed = claim === state;
      const hint = proposed ? ` (pseudo-label, ${score?.toFixed(2) ?? "no score"})` : "";
      const label = `${row.class} ${words} image ${position + 1}${hint}`;
      return el(
        "button",
        { type: "button", class: ["lm-truth-answer", proposed && "is-proposed"], "aria-label": label, title: label, dataset: { answer: state, position }, onclick: () => this.lab.answer(row, position, state) },
        proposed ? el("span", { class: "lm-mark lm-mark-pseudo", "aria-hidden": "true" }) : null,
        stateMark(state),
      );
    };
    return el("span", { class: "lm-truth-ask", role: "group", "aria-label": `Nobody looked for ${row.class} in image ${position + 1}` }, answer(1, "is in"), answer(-1, "is not in"));
  }

  resultCell(row) {
    const parts = [stateMark(row.result), el("span", {}, WORDS[row.result])];
    if (row.rests_on_pseudo) parts.push(el("span", { class: "lm-mark lm-mark-pseudo", title: "rests on a pseudo-label", role: "img", "aria-label": "rests on a pseudo-label" }));
    return el("td", { class: `lm-truth-result lm-chip-${WORDS[row.result]}` }, el("span", { class: "lm-truth-chip" }, parts));
  }

  reasonCell(row) {
    const reason = row.reason.replace(/^(positive|negative|unknown): /, "");
    const settling = row.settling ? el("span", { class: "lm-truth-settling" }, row.settling) : null;
    return el("td", { class: "lm-truth-reason" }, el("span", {}, reason), settling);
  }

  verdictWords(blend) {
    if (!blend.has_truth) return [];
    const decided = blend.rows.filter((row) => row.result !== 0 && row.truth !== null && row.truth !== 0);
    const wrong = decided.filter((row) => row.truth !== row.result);
    if (!decided.length) return [];
    if (!wrong.length) return [el("span", { class: "lm-truth-right" }, "✓"), ` The complete labels are known here: ${decided.length === 1 ? "the one decided class is" : `all ${decided.length} decided classes are`} right.`];
    const why = blend.with_pseudo ? " Wrong pseudo-labels in a source carry over." : " A wrong label in a source carries over.";
    return [el("span", { class: "lm-truth-wrong" }, "✗"), ` The complete labels are known here: ${wrong.length} of ${decided.length} decided classes are wrong (${wrong.map((row) => row.class).join(", ")}).${why}`];
  }

  restoreFocus() {
    if (!this.focusOn) return;
    const row = [...this.rows.children].find((one) => one.dataset.class === this.focusOn);
    this.focusOn = null;
    (row?.querySelector(".lm-truth-answer") ?? row?.querySelector("th"))?.focus({ preventScroll: true });
  }
}

export function truthPanel(context, lab) {
  return new TruthPanel(lab);
}
