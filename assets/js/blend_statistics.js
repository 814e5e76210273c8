// A thousand drawn blends at today's labels, and the exact shares by formula beside them.

import { emptyState, errorState, skeleton, stackedBar } from "./components.js";
import { debounce, el, fill, format } from "./core.js";
import { lineChart } from "./chart.js";

const MOST = 6;
const MANY_CLASSES = 60;

class StatisticsPanel {
  constructor(context, lab) {
    this.context = context;
    this.lab = lab;
    this.asked = 0;
    this.settings = null;
    this.key = null;
    this.query = "";
    this.loadSoon = debounce(() => this.load(), 150);
    this.node = el("div", { class: "lm-blend-panel lm-statistics" }, this.controls(), this.makeBody());
  }

  controls() {
    const slider = (name, label, min, max, step) => {
      const input = el("input", { type: "range", min, max, step, class: "lm-blend-range", "aria-label": label });
      const value = el("output", { class: "lm-blend-value" });
      input.addEventListener("input", () => this.change(name, Number(input.value)));
      this.inputs[name] = { input, value };
      return el("label", { class: "lm-blend-field" }, el("span", { class: "lm-blend-label" }, label), input, value);
    };
    this.inputs = {};
    this.drawn = el("span", { class: "lm-statistics-drawn", role: "status", "aria-live": "polite" });
    return el(
      "div",
      { class: "lm-statistics-bar" },
      slider("k_min", "fewest sources", 2, MOST, 1),
      slider("k_max", "most sources", 2, MOST, 1),
      slider("probability", "probability", 0, 1, 0.05),
      this.drawn,
    );
  }

  makeBody() {
    const share = (value) => format.percent(value, 0);
    this.known = lineChart({ title: "Known cells", xLabel: "sources", yFormat: share, xFormat: (x) => String(x), height: 150, fromZero: true });
    this.balance = lineChart({ title: "Positives among the known", xLabel: "sources", yFormat: share, xFormat: (x) => String(x), height: 150, yDomain: [0, 1] });
    this.summary = el("div", { class: "lm-statistics-summary" });
    this.words = el("p", { class: "lm-blend-note" });
    this.classes = el("div", { class: "lm-statistics-classes" });
    this.charts = el("div", { class: "lm-statistics-charts" }, this.known.node, this.balance.node);
    this.body = el("div", {}, this.summary, this.words, this.charts, this.classes);
    return this.body;
  }

  render() {
    const { k_min, k_max, probability } = this.lab.draw;
    const seq = this.context.session.pulse?.seq ?? 0;
    if (!this.settings) this.settings = { k_min, k_max, probability };
    this.showSettings();
    const key = JSON.stringify([this.settings, seq, this.lab.withPseudo]);
    if (key === this.key) return;
    this.key = key;
    this.load();
  }

  change(name, value) {
    this.settings[name] = value;
    if (this.settings.k_min > this.settings.k_max) this.settings[name === "k_min" ? "k_max" : "k_min"] = value;
    this.showSettings();
    this.loadSoon();
  }

  showSettings() {
    for (const [name, { input, value }] of Object.entries(this.inputs)) {
      input.value = this.settings[name];
      value.textContent = name === "probability" ? this.settings[name].toFixed(2) : String(this.settings[name]);
    }
  }

  async load() {
    const ticket = (this.asked += 1);
    if (!this.answer) fill(this.summary, skeleton("90px"));
    try {
      const answer = await this.context.api.get("/api/blend/statistics", { ...this.settings, pseudo: Number(this.lab.withPseudo) });
      if (ticket !== this.asked) return;
      this.answer = answer;
      this.show();
    } catch (error) {
      if (ticket !== this.asked) return;
      this.key = null;
      this.answer = null;
      fill(this.summary, errorState(error, () => this.load()));
    }
  }

  show() {
    const { draws, seconds, before, blends, samples, curve } = this.answer;
    this.drawn.textContent = `${format.number(draws)} draws in ${Math.round(seconds * 1000)} ms`;
    fill(
      this.summary,
      this.line("Photographs", "before mixing", before, null),
      blends ? this.line("Blends", `${this.settings.k_min} to ${this.settings.k_max} sources`, blends.drawn, blends.exact) : null,
      this.line("What the trainer sees", `mixed with probability ${this.settings.probability.toFixed(2)}`, samples.drawn, samples.exact),
    );
    this.words.textContent = this.wordsFor(before, blends?.exact);
    const series = (key) => [{ name: "blends, exact", tone: "accent", points: curve.map((point) => [point.k, point[key]]) }];
    this.known.update(series("known"));
    this.balance.update(series("positive_of_known"));
    this.showClasses();
  }

  line(title, words, drawn, exact) {
    const bar = stackedBar(
      [
        { key: "positive", count: drawn.positive },
        { key: "negative", count: drawn.negative },
        { key: "unknown", count: Math.max(0, 1 - drawn.known) },
      ],
      1,
      { label: title },
    );
    const number = (value, beside) => [format.percent(value), beside === undefined ? null : el("small", {}, ` exact ${format.percent(beside)}`)];
    return el(
      "div",
      { class: "lm-statistics-line" },
      el("div", { class: "lm-statistics-name" }, el("strong", {}, title), el("span", {}, words)),
      bar,
      el("dl", {}, el("div", {}, el("dt", {}, "known"), el("dd", {}, number(drawn.known, exact?.known))), el("div", {}, el("dt", {}, "positive : negative"), el("dd", {}, this.ratio(drawn), exact ? el("small", {}, ` exact ${this.ratio(exact)}`) : null))),
    );
  }

  ratio({ positive, negative }) {
    if (!positive && !negative) return "–";
    if (!positive || !negative) return positive ? "only positives" : "only negatives";
    return positive >= negative ? `${(positive / negative).toFixed(1)} : 1` : `1 : ${(negative / positive).toFixed(1)}`;
  }

  wordsFor(before, blends) {
    if (!before.known) return "Nothing is known yet: every blend is unknown throughout. Answer a few cells first.";
    if (!blends) return "";
    const [from, to] = [before.positive_of_known, blends.positive_of_known].map((share) => format.percent(share, 0));
    return `Mixing moves the positives among the known cells from ${from} to ${to}: one positive source is enough, but all must be negative. The loss therefore treats photographs and blends apart. Sources are drawn uniformly with replacement from ${format.number(this.answer.num_images)} images, so with shares p and q a class is positive with probability 1 − (1 − p)ᵏ and negative with qᵏ.`;
  }

  showClasses() {
    const { classes } = this.answer;
    if (!classes.length) {
      fill(this.classes, emptyState({ title: "No classes" }));
      return;
    }
    const known = (pair) => pair[0] + pair[1];
    const shown = [...classes].sort((a, b) => known(b.exact) - known(a.exact)).slice(0, MANY_CLASSES);
    const cell = (pair) => [stackedBar([{ key: "positive", count: pair[0] }, { key: "negative", count: pair[1] }, { key: "unknown", count: Math.max(0, 1 - known(pair)) }], 1), el("span", { class: "lm-statistics-numbers" }, `${format.percent(pair[0])} · ${format.percent(pair[1])}`)];
    const rows = shown.map((row) => el("tr", {}, el("th", { scope: "row", title: row.class }, row.class), el("td", {}, cell(row.before)), el("td", {}, cell(row.drawn)), el("td", {}, cell(row.exact))));
    const head = el("tr", {}, ["Class", "Photographs", "As the trainer sees it, drawn", "By formula"].map((words) => el("th", { scope: "col" }, words)));
    const rest = classes.length > shown.length ? el("p", { class: "lm-blend-note" }, `The ${shown.length} classes of which most is known; ${classes.length - shown.length} more are in the sums.`) : null;
    fill(this.classes, el("table", { class: "lm-statistics-table" }, el("caption", {}, "Positive · negative share of samples, class by class"), el("thead", {}, head), el("tbody", {}, rows)), rest);
  }
}

export const statisticsPanel = (context, lab) => new StatisticsPanel(context, lab);
