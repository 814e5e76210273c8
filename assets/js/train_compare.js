// Two runs side by side: settings that differ, curves overlaid, precision by class, pseudo-labels that differ.

import { lineChart } from "./chart.js";
import { button, emptyState, errorState, skeleton } from "./components.js";
import { el, fill, format } from "./core.js";
import { CHARTS, chartSeries, hasSteps } from "./train_run.js";
import { groupTitle, runTitle, settingWords, valueWords } from "./train_words.js";

const TONES = ["negative", "accent"];
const DASHES = ["5 3", ""];
const COMPARED = ["loss", "map", "pseudo"];

export class CompareView {
  constructor(context, room) {
    this.context = context;
    this.room = room;
    this.pair = null;
    this.asked = 0;
    this.head = el("div", { class: "lm-card lm-run-head" });
    this.charts = new Map(CHARTS.filter((chart) => COMPARED.includes(chart.name)).map((chart) => [chart.name, lineChart({ height: 170, ...chart, series: [] })]));
    this.chartGrid = el("div", { class: "lm-run-charts" }, [...this.charts.values()].map((chart) => chart.node));
    this.body = el("div", { class: "lm-run-after" });
    this.node = el("div", { class: "lm-run-view lm-compare" }, this.head, this.chartGrid, this.body);
  }

  show(pair, runs) {
    this.runs = runs;
    const key = JSON.stringify([pair, runs.map((card) => [card.run, card.status, card.name])]);
    if (key === this.key) return;
    this.key = key;
    this.pair = pair;
    this.drawHead();
    this.load();
  }

  drawHead() {
    const select = (position) => {
      const made = el("select", { class: "lm-input", "aria-label": position ? "Second run" : "First run" }, this.runs.map((card) => el("option", { value: card.run, selected: card.run === this.pair[position] }, `${card.run} · ${runTitle(card)}${card.map === null ? "" : ` · mAP ${card.map.toFixed(3)}`}`)));
      made.addEventListener("change", () => {
        const pair = [...this.pair];
        pair[position] = Number(made.value);
        this.room.compare(pair);
      });
      return el("span", { class: "lm-compare-pick" }, el("span", { class: `lm-compare-line lm-tone-${TONES[position]}`, "aria-hidden": "true" }), made);
    };
    fill(this.head, el("div", { class: "lm-run-title" }, el("h2", {}, "Compare"), select(0), el("span", { class: "lm-soft" }, "with"), select(1), el("span", { class: "lm-end" }, button("Back", { kind: "quiet", icon: "left", onclick: () => this.room.select(this.pair[1]) }))));
  }

  async load() {
    const ticket = (this.asked += 1);
    const [first, second] = this.pair;
    if (!this.body.childElementCount) fill(this.body, skeleton("240px"));
    try {
      const answer = await this.context.api.get("/api/train/compare", { first, second });
      if (ticket === this.asked) this.draw(answer);
    } catch (error) {
      this.key = null;
      if (ticket === this.asked) fill(this.body, errorState(error, () => this.load()));
    }
  }

  draw(answer) {
    this.drawCharts(answer.curves);
    fill(this.body, el("div", { class: "lm-run-columns" }, this.precision(answer), this.settings(answer)), this.pseudo(answer));
  }

  drawCharts(curves) {
    for (const chart of CHARTS.filter((one) => this.charts.has(one.name))) {
      // A run that is told by epochs only draws the other one to epochs, too.
      const byEpoch = Boolean(chart.fallback) && !curves.every((one) => hasSteps(chart, one));
      const overlaid = curves.flatMap((one, i) => this.overlay(chartSeries(chart, one, byEpoch), i));
      const drawn = this.charts.get(chart.name);
      drawn.node.hidden = !overlaid.length;
      drawn.options.xLabel = byEpoch ? "epoch" : chart.xLabel;
      drawn.update(overlaid);
    }
    this.chartGrid.hidden = [...this.charts.values()].every((chart) => chart.node.hidden);
  }

  /** One run's lines in its own tone; a second line of the same run is told by its dash. */
  overlay(lines, i) {
    return lines.map((line, j) => ({ ...line, tone: j ? "pseudo" : TONES[i], dash: j && i ? "2 3" : DASHES[i], name: `run ${this.pair[i]}${lines.length > 1 ? ` ${line.name}` : ""}` }));
  }

  precision({ precision, map }) {
    const known = precision.filter((row) => row.ap.some((value) => value !== null && value !== undefined));
    const difference = map[0] !== null && map[1] !== null ? map[1] - map[0] : null;
    const signed = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(3)}`;
    const rows = known.map((row) => this.precisionRow(row, signed));
    const sum = difference === null ? null : el("span", { class: "lm-end lm-soft" }, `mAP ${map[0].toFixed(3)} → ${map[1].toFixed(3)} (${signed(difference)})`);
    const body = rows.length ? el("table", { class: "lm-compare-table" }, el("thead", {}, el("tr", {}, ["Class", `Run ${this.pair[0]}`, `Run ${this.pair[1]}`, "Difference"].map((words) => el("th", { scope: "col" }, words)))), el("tbody", {}, rows)) : emptyState({ title: "Nothing to compare yet", body: "Both runs must have finished." });
    return el("section", { class: "lm-card" }, el("div", { class: "lm-card-head" }, el("h2", {}, "Average precision by class"), sum), el("div", { class: "lm-card-body lm-compare-scroll", tabindex: "0", role: "group", "aria-label": "Average precision by class" }, body));
  }

  precisionRow(row, signed) {
    const [one, other] = row.ap;
    const both = one !== null && one !== undefined && other !== null && other !== undefined;
    const gap = both ? other - one : 0;
    const bar = both ? el("span", { class: ["lm-gap", gap < 0 && "is-less"], "aria-hidden": "true" }, el("span", { style: { width: `${Math.min(50, Math.abs(gap) * 100)}%` } })) : null;
    const number = (value) => el("td", { class: "lm-number" }, value === null || value === undefined ? "–" : value.toFixed(3));
    return el("tr", {}, el("th", { scope: "row", title: row.class }, row.class), number(one), number(other), el("td", { class: "lm-number" }, both ? el("span", { class: "lm-gap-cell" }, bar, signed(gap)) : "–"));
  }

  settings({ settings }) {
    const words = (name) => (name.includes(".") ? `${groupTitle(name)}: ${settingWords(name)}` : name);
    const rows = settings.map((row) => el("tr", {}, el("th", { scope: "row" }, words(row.name)), row.values.map((value) => el("td", {}, valueWords(value)))));
    const body = rows.length ? el("table", { class: "lm-compare-table" }, el("thead", {}, el("tr", {}, ["Setting", `Run ${this.pair[0]}`, `Run ${this.pair[1]}`].map((one) => el("th", { scope: "col" }, one)))), el("tbody", {}, rows)) : el("p", { class: "lm-soft" }, "Same recipe, same settings, same labels.");
    return el("section", { class: "lm-card" }, el("div", { class: "lm-card-head" }, el("h2", {}, "What differs")), el("div", { class: "lm-card-body lm-compare-scroll" }, body));
  }

  pseudo({ pseudo }) {
    const head = (extra) => el("div", { class: "lm-card-head" }, el("h2", {}, "Pseudo-labels at today's labels"), extra);
    if (!pseudo) return el("section", { class: "lm-card" }, head(), el("div", { class: "lm-card-body" }, el("p", { class: "lm-soft" }, "Both runs must have finished.")));
    const { totals, per_class: classes, examples } = pseudo;
    const [first, second] = this.pair;
    const sum = `${format.number(totals.same)} the same · ${format.number(totals.first)} only in run ${first} · ${format.number(totals.second)} only in run ${second} · ${format.number(totals.opposite)} opposite`;
    const rows = classes.filter((row) => row.first + row.second + row.opposite > 0).map((row) => el("tr", {}, el("th", { scope: "row", title: row.class }, row.class), [row.same, row.first, row.second, row.opposite].map((value) => el("td", { class: "lm-number" }, format.number(value)))));
    const table = rows.length ? el("table", { class: "lm-compare-table" }, el("thead", {}, el("tr", {}, ["Class", "Same", `Only run ${first}`, `Only run ${second}`, "Opposite"].map((words) => el("th", { scope: "col" }, words)))), el("tbody", {}, rows)) : el("p", { class: "lm-soft" }, "The two runs propose the same.");
    return el("section", { class: "lm-card" }, head(el("span", { class: "lm-end lm-soft" }, sum)), el("div", { class: "lm-card-body lm-run-columns" }, el("div", { class: "lm-compare-scroll", tabindex: "0", role: "group", "aria-label": "Pseudo-labels by class" }, table), this.examples(examples)));
  }

  examples(examples) {
    if (!examples.length) return null;
    const tiles = examples.map((one) =>
      el(
        "a",
        { class: ["lm-compare-example", one.opposite && "is-opposite"], href: this.context.address.of("browse", { image: one.image }), title: `${one.path}: ${one.class}` },
        el("img", { src: this.context.thumb(one.image, 128), alt: "", loading: "lazy", width: 88, height: 66 }),
        el("strong", {}, one.class),
        el("span", {}, `${one.scores[0].toFixed(2)} → ${one.scores[1].toFixed(2)}`),
      ),
    );
    return el("div", {}, el("h3", {}, "Where they differ most"), el("div", { class: "lm-compare-examples" }, tiles));
  }
}
