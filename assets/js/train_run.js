// One run: where it stands, its curves while it learns, what it changed, its log.

import { lineChart } from "./chart.js";
import { button, dialog, icon, scoreBar, toastError } from "./components.js";
import { el, fill, format } from "./core.js";
import { groupTitle, megabytes, runTitle, settingWords, statusTag, valueWords } from "./train_words.js";

const LOG_LINES = 200;
const share = (value) => value.toFixed(3);

/** The charts of a run; the comparison draws the same ones. */
export const CHARTS = [
  {
    name: "loss",
    title: "Loss",
    xLabel: "step",
    empty: "No loss yet.",
    series: (curves) => [
      { name: "original", tone: "accent", points: curves.steps.loss_original },
      { name: "mixed", tone: "pseudo", dash: "5 3", points: curves.steps.loss_mixed },
    ],
    fallback: (curves) => [
      { name: "original", tone: "accent", points: curves.epochs.loss_original },
      { name: "mixed", tone: "pseudo", dash: "5 3", points: curves.epochs.loss_mixed },
    ],
  },
  { name: "map", title: "mAP on held-out known cells", xLabel: "epoch", yFormat: share, empty: "Measured after the first epoch.", series: (curves) => [{ name: "mAP", tone: "positive", points: curves.epochs.map }] },
  {
    name: "pseudo",
    title: "Pseudo-labels in training",
    xLabel: "epoch",
    yFormat: format.number,
    optional: true,
    series: (curves) => [
      { name: "positive", tone: "positive", points: curves.pseudo.positive },
      { name: "negative", tone: "negative", dash: "5 3", points: curves.pseudo.negative },
    ],
  },
  { name: "lr", title: "Learning rate", xLabel: "step", optional: true, series: (curves) => [{ name: "learning rate", tone: "accent", points: curves.steps.lr }] },
  { name: "speed", title: "Images a second", xLabel: "step", yFormat: format.number, optional: true, fromZero: true, series: (curves) => [{ name: "images/s", tone: "accent", points: curves.steps.images_per_s }] },
  { name: "memory", title: "Memory in MB", xLabel: "step", yFormat: format.number, optional: true, fromZero: true, series: (curves) => [{ name: "memory", tone: "negative", points: curves.steps.memory_mb }] },
];

/** Whether a chart has points over steps; what ends in seconds is told by epochs only. */
export const hasSteps = (chart, curves) => chart.series(curves).some((one) => one.points?.length);

export function chartSeries(chart, curves, byEpoch = !hasSteps(chart, curves)) {
  const make = byEpoch && chart.fallback ? chart.fallback : chart.series;
  return make(curves).filter((one) => one.points?.length);
}

export class RunView {
  constructor(context, room) {
    this.context = context;
    this.room = room;
    this.card = null;
    this.offset = null;
    this.curves = null;
    this.details = null;
    this.charts = new Map(CHARTS.map((chart) => [chart.name, lineChart({ height: 170, ...chart, series: [] })]));
    this.head = el("div", { class: "lm-card lm-run-head" });
    this.chartGrid = el("div", { class: "lm-run-charts" }, [...this.charts.values()].map((chart) => chart.node));
    this.messages = el("ul", { class: "lm-run-messages", "aria-label": "What the trainer said" });
    this.after = el("div", { class: "lm-run-after" });
    this.log = el("pre", { class: "lm-run-log", tabindex: "0", "aria-label": "End of the log" });
    this.logBox = el("details", { class: "lm-card lm-run-logbox" }, el("summary", {}, "Log"), this.log);
    this.logBox.addEventListener("toggle", () => this.logBox.open && this.loadLog());
    this.node = el("div", { class: "lm-run-view" }, this.head, this.messages, this.chartGrid, this.after, this.logBox);
  }

  show(card) {
    const isOther = card.run !== this.card?.run;
    this.card = card;
    if (isOther) {
      this.offset = null;
      this.curves = null;
      this.details = null;
      fill(this.after);
      fill(this.messages);
      this.logBox.hidden = true; // until what stands above it is there, so that it does not jump
      this.drawCharts();
      if (this.logBox.open) this.loadLog();
      this.load();
    } else if (card.status !== this.shownStatus || card.is_current !== this.shownCurrent) this.load();
    this.shownStatus = card.status;
    this.shownCurrent = card.is_current;
    this.drawHead();
  }

  async load() {
    const { run } = this.card;
    try {
      const answer = await this.context.api.get(`/api/train/runs/${run}`);
      if (run === this.card.run) this.news(answer);
      await this.loadDetails();
    } catch (error) {
      toastError(error);
    }
  }

  async loadDetails() {
    const { run } = this.card;
    try {
      const details = await this.context.api.get(`/api/train/runs/${run}/details`);
      if (run !== this.card.run) return;
      this.details = details;
      this.drawAfter();
    } catch (error) {
      toastError(error);
    }
  }

  news({ card, curves, offset }) {
    if (card.run !== this.card?.run) return;
    this.card = { ...this.card, ...card };
    this.offset = offset;
    if (curves) {
      this.curves = curves;
      this.drawCharts();
      this.drawMessages();
      if (this.logBox.open) this.loadLog();
    }
    this.drawHead();
  }

  // drawing --------------------------------------------------------------

  drawHead() {
    const { card } = this;
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const title = el("div", { class: "lm-run-title" }, el("h2", {}, runTitle(card)), card.name ? el("span", { class: "lm-soft" }, `run ${card.run}`) : null, statusTag(card), el("span", { class: "lm-tag" }, card.recipe), card.init_from ? el("span", { class: "lm-tag" }, `from run ${card.init_from}`) : null, el("span", { class: "lm-end lm-run-actions" }, this.actions(card)));
    fill(this.head, title, this.standing(card), card.note ? el("p", { class: "lm-run-note" }, card.note) : null);
    if (focused) this.head.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  standing(card) {
    if (card.is_active) {
      const left = card.eta_s ? `${format.duration(card.eta_s)} left` : "time left is known soon";
      const isTold = /epoch \d/.test(card.message);
      const epoch = this.curves?.num_epochs && !isTold ? `epoch ${this.curves.epoch} of ${this.curves.num_epochs}` : null;
      return el("div", { class: "lm-run-standing" }, el("span", { class: "lm-progress", role: "progressbar", "aria-valuenow": Math.round(card.fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Share of the work done" }, el("span", { style: { width: `${card.fraction * 100}%` } })), el("p", { role: "status" }, [card.message, epoch, `${Math.round(card.fraction * 100)} %`, left].filter(Boolean).join(" · ")));
    }
    if (card.status === "finished") {
      const line = card.change?.line;
      const before = card.change?.before ? el("span", { class: "lm-soft" }, ` against run ${card.change.before}`) : null;
      return line ? el("p", { class: ["lm-run-line", card.change.is_broken && "is-problem"] }, line, before) : null;
    }
    const words = { paused: "Paused at a checkpoint; it can go on where it stopped.", cancelled: "Cancelled. It can go on from its last checkpoint.", failed: card.message || "It failed; the log says why.", died: card.message || "Its process ended without a word." };
    return el("p", { class: ["lm-run-line", ["failed", "died"].includes(card.status) && "is-problem"] }, words[card.status] ?? card.message);
  }

  actions(card) {
    const act = (label, name, run, options = {}) => {
      const made = button(label, { kind: "quiet", onclick: run, ...options });
      made.dataset.focus = name;
      return made;
    };
    const { room } = this;
    return [
      card.is_active ? act("Pause", "pause", () => room.control(card.run, "pause"), { icon: "pause" }) : null,
      card.is_active ? act("Cancel", "cancel", () => room.control(card.run, "cancel"), { icon: "stop" }) : null,
      card.is_resumable ? act("Resume", "resume", () => room.control(card.run, "resume"), { icon: "play", kind: "primary" }) : null,
      card.status === "finished" && !card.is_current ? act("Use its scores", "use", () => room.choose(card.run), { title: "Make this run's scores the pseudo-labels" }) : null,
      room.runs.length > 1 ? act("Compare", "compare", () => room.compare()) : null,
      act("Name and note", "name", () => this.edit(), { icon: "edit", hidden_label: true }),
      card.is_active ? null : act(`Delete run ${card.run}`, "delete", () => room.remove(card.run), { icon: "trash", hidden_label: true }),
    ];
  }

  drawCharts() {
    for (const chart of CHARTS) {
      const series = this.curves ? chartSeries(chart, this.curves) : [];
      const drawn = this.charts.get(chart.name);
      drawn.node.hidden = !series.length && (chart.optional || !this.card?.is_active);
      const isByEpoch = chart.fallback && this.curves && !hasSteps(chart, this.curves);
      drawn.options.xLabel = isByEpoch ? "epoch" : chart.xLabel;
      drawn.update(series);
    }
    this.chartGrid.hidden = [...this.charts.values()].every((chart) => chart.node.hidden);
  }

  drawMessages() {
    const shown = this.curves.messages.filter((message) => message.level !== "info" || this.card.is_active).slice(-4);
    fill(this.messages, shown.map((message) => el("li", { class: `is-${message.level}` }, icon(message.level === "info" ? "history" : "warning"), message.text)));
  }

  drawAfter() {
    const { card, result, changed, bytes, seed } = this.details;
    const tiles = card.status === "finished" ? this.tiles(card, result) : null;
    const precision = Object.keys(result.ap ?? {}).length ? this.precision(result.ap) : null;
    const settings = el("section", { class: "lm-card" }, el("div", { class: "lm-card-head" }, el("h2", {}, "Settings")), el("div", { class: "lm-card-body" }, this.settings(changed, seed, bytes)));
    fill(this.after, tiles, el("div", { class: "lm-run-columns" }, precision, settings));
    this.logBox.hidden = false;
  }

  tiles(card, result) {
    const tile = (number, words, title) => el("div", { class: "lm-run-tile", title }, el("strong", {}, number), el("span", {}, words));
    const change = card.change && !card.change.is_broken ? card.change : null;
    return el(
      "div",
      { class: "lm-run-tiles" },
      tile(card.map === null ? "–" : card.map.toFixed(3), `mAP on ${result.num_cells ? format.number(result.num_cells) : "the"} held-out known cells`),
      change ? tile(format.number(change.positive), "pseudo-labels: present") : null,
      change ? tile(format.number(change.negative), "pseudo-labels: absent") : null,
      change ? tile(format.number(change.conflicts), "conflicts with known cells") : null,
      tile(card.best_epoch ?? card.epochs ?? "–", card.epochs ? `best of ${format.number(card.epochs)} epochs` : "best epoch"),
      tile(format.duration(card.seconds), "time"),
    );
  }

  precision(ap) {
    const rows = Object.entries(ap).sort((a, b) => (b[1] ?? -1) - (a[1] ?? -1));
    const body = rows.map(([name, value]) => el("div", { class: "lm-ap" }, el("span", { class: "lm-ap-name", title: name }, name), value === null ? el("span", { class: "lm-soft" }, "too few known cells") : scoreBar(value, { label: `average precision of ${name}` })));
    return el("section", { class: "lm-card" }, el("div", { class: "lm-card-head" }, el("h2", {}, "Average precision by class")), el("div", { class: "lm-card-body lm-ap-list", tabindex: "0", role: "group", "aria-label": "Average precision by class" }, body));
  }

  settings(changed, seed, bytes) {
    const rows = changed.map(({ name, value, default: usual }) => [`${groupTitle(name)}: ${settingWords(name)}`, `${valueWords(value)} (default ${valueWords(usual)})`]);
    rows.push(["seed", String(seed)], ["on disk", megabytes(bytes)]);
    return [changed.length ? null : el("p", { class: "lm-soft" }, "All settings are the recipe's defaults."), el("dl", { class: "lm-run-settings" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))];
  }

  // log, name ------------------------------------------------------------

  toggleLog() {
    this.logBox.open = !this.logBox.open;
    if (this.logBox.open) this.logBox.scrollIntoView({ block: "nearest" });
  }

  async loadLog() {
    const { run } = this.card;
    try {
      const { lines, is_cut: isCut } = await this.context.api.get(`/api/train/runs/${run}/log`, { lines: LOG_LINES });
      if (run !== this.card.run) return;
      const wasAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8;
      const printed = lines.length ? [isCut ? "…" : null, ...lines].filter((line) => line !== null) : [];
      this.log.textContent = [...this.told(), ...(printed.length ? ["", "printed by the process:"] : []), ...printed].join("\n") || "Nothing was said yet.";
      if (wasAtEnd) this.log.scrollTop = this.log.scrollHeight;
    } catch (error) {
      this.log.textContent = error.message;
    }
  }

  /** What the trainer told, stage by stage, with the seconds since it began. */
  told() {
    if (!this.curves) return [];
    const said = [...this.curves.stages.map(({ words, at }) => [at, words]), ...this.curves.messages.map(({ text, at, level }) => [at, level === "info" ? text : `${level}: ${text}`])];
    return said.sort((a, b) => a[0] - b[0]).map(([at, words]) => `${at.toFixed(1).padStart(8)} s  ${words}`);
  }

  edit() {
    const { card } = this;
    const name = el("input", { class: "lm-input", value: card.name, maxlength: 80, placeholder: `Run ${card.run}` });
    const note = el("textarea", { class: "lm-input", rows: 4, maxlength: 2000 });
    note.value = card.note;
    const save = async () => {
      shown.close();
      await this.room.annotate(card.run, { name: name.value.trim(), note: note.value.trim() });
    };
    const shown = dialog({
      title: `Run ${card.run}`,
      body: [el("label", { class: "lm-field" }, "Name", name), el("label", { class: "lm-field" }, "Note", note)],
      footer: [button("Cancel", { onclick: () => shown.close() }), button("Save", { kind: "primary", onclick: save })],
    });
    name.addEventListener("keydown", (event) => event.key === "Enter" && save());
    name.focus();
  }
}
