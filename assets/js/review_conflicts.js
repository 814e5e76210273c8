// Where a confident model contradicts what is known: both sides, and three answers. A model changes nothing by itself.

import { article } from "./review_stream.js";
import { filterBar } from "./review_filters.js";
import { Stage } from "./review_stage.js";

const BATCH = 20;
const REFILL_BELOW = 8;
const PREFETCH = 6;
const ORIGINS = {
  stream: "in Stream",
  grid: "in Grid",
  audit: "in an audit",
  conflicts: "in Conflicts",
  bulk: "in a bulk",
  browse: "in Browse",
  blend: "in the Blend lab",
  fiftyone: "in FiftyOne",
  python: "from Python",
};

export class Conflicts {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    this.holder = `${desk.holder}:conflicts`;
    this.items = [];
    this.generation = 0;
    this.build();
  }

  build() {
    const { el } = this.context;
    const make = (action, label, extra) => this.desk.actionButton(action, label, extra);
    this.barSlot = el("div", { class: "lm-review-barslot" });
    this.figure = el("figure", { class: "lm-stage", "data-state": "empty" });
    this.stage = new Stage({ el, media: this.context.media, figure: this.figure });
    this.question = el("h2", { class: "lm-question", "aria-live": "polite" });
    this.known = el("div", { class: "lm-side" });
    this.claimed = el("div", { class: "lm-side" });
    this.buttons = {
      keep: make("confirm", "Keep", { class: "lm-answer" }),
      change: make("accept", "Change", { class: "lm-answer" }),
    };
    this.progress = el("div", { class: "lm-review-progress" });
    this.where = el("p", { class: "lm-where" });
    this.panel = el(
      "aside",
      { class: "lm-card-side", "aria-label": "The conflict" },
      this.question,
      el("div", { class: "lm-sides" }, this.known, this.claimed),
      el("div", { class: "lm-answers" }, this.buttons.keep, this.buttons.change),
      el("div", { class: "lm-answers-more" }, make("unsure", "Unsure"), make("undo", "Undo"), make("zoom", "Zoom")),
      this.progress,
      this.where,
    );
    this.body = el("div", { class: "lm-stream" }, this.figure, this.panel);
    this.emptyState = el("div", { class: "lm-review-empty", hidden: true });
    this.root.replaceChildren(this.barSlot, this.body, this.emptyState);
  }

  show(params) {
    this.params = params;
    this.barSlot.replaceChildren(
      filterBar(this.context, {
        values: { class: params.class, sign: params.sign },
        splits: [],
        parts: ["class", "sign"],
        change: (name, value) => this.desk.setParams({ [name]: value }),
      }),
    );
    const key = `${params.class ?? ""} ${params.sign ?? ""}`;
    if (key === this.key && this.items.length) return;
    this.key = key;
    this.restart();
  }

  hide() {
    this.stage.endZoom();
  }

  restart() {
    this.generation += 1;
    this.desk.release(this.items.map((item) => item.cell), this.holder);
    this.items = [];
    this.ended = false;
    this.loading = false;
    this.refill();
  }

  runChanged() {
    this.key = null;
    if (this.desk.current === "conflicts") this.show(this.params);
  }

  async refill() {
    if (this.loading || this.ended || this.items.length >= REFILL_BELOW) return;
    this.loading = true;
    const generation = this.generation;
    let reply;
    try {
      reply = await this.context.api.post("/api/review/conflicts", {
        class_name: this.params.class ?? "",
        sign: Number(this.params.sign) || 0,
        want: BATCH,
        have: this.items.map((item) => item.cell),
        holder: this.holder,
      });
    } catch (error) {
      if (generation === this.generation) this.loading = false;
      this.context.toastError(error);
      return;
    }
    if (generation !== this.generation) return;
    this.loading = false;
    const waiting = this.desk.unsentCells();
    const wasEmpty = !this.items.length;
    this.items.push(...reply.items.filter((item) => !waiting.has(`${item.image} ${item.class}`)));
    this.total = reply.total;
    this.run = reply.run;
    this.ended = reply.items.length === 0;
    this.elsewhere = reply.total > this.items.length ? reply.empty : null;
    if (wasEmpty) this.paint();
    this.prefetch();
  }

  prefetch() {
    this.stage.prefetch(this.items.slice(0, PREFETCH).map((item) => item.image));
  }

  paint() {
    const { el, stateChip, scoreBar, format } = this.context;
    const item = this.items[0];
    this.body.hidden = !item;
    this.emptyState.hidden = Boolean(item);
    if (!item) {
      this.stage.clear();
      delete this.root.dataset.cell;
      this.paintEmpty();
      return;
    }
    const claim = -item.state;
    this.root.dataset.cell = `${item.image} ${item.class}`;
    this.stage.show(item.image, `Image ${item.path}`);
    this.question.replaceChildren(`Is there ${article(item.class)} `, el("em", {}, item.class), "?");
    this.known.replaceChildren(
      el("h3", { class: "lm-h3" }, "What is known"),
      stateChip(item.state, { label: item.state > 0 ? "Present" : "Absent" }),
      el("p", { class: "lm-soft" }, this.provenance(item.known)),
    );
    this.claimed.replaceChildren(
      el("h3", { class: "lm-h3" }, `What run ${item.run} says`),
      stateChip("pseudo", { label: claim > 0 ? "Present" : "Absent", sign: claim, score: item.score }),
      scoreBar(item.score),
    );
    const word = (state) => (state > 0 ? "present" : "absent");
    this.buttons.keep.querySelector(".lm-action-label").textContent = `Keep: ${word(item.state)}`;
    this.buttons.change.querySelector(".lm-action-label").textContent = `Change: ${word(claim)}`;
    this.progress.replaceChildren(el("span", {}, el("b", {}, format.number(Math.max(this.total, this.items.length))), " conflicts, the strongest first"));
    this.where.textContent = item.path;
    this.shownAt = performance.now();
  }

  provenance(known) {
    if (!known.who) return "From the import.";
    const bulk = known.bulk > 1 ? `, with ${known.bulk - 1} others` : "";
    const run = known.run ? `, after run ${known.run}` : "";
    return `${known.who}, ${this.context.format.time(known.time)}, ${ORIGINS[known.origin] ?? known.origin}${bulk}${run}.`;
  }

  paintEmpty() {
    const { el } = this.context;
    if (this.elsewhere) {
      this.emptyState.replaceChildren(
        el("p", { class: "lm-review-empty-title" }, this.elsewhere.title),
        el("p", { class: "lm-review-empty-text" }, this.elsewhere.text),
        el("div", { class: "lm-review-empty-steps" }, this.context.button("Look again", { onclick: () => this.restart() })),
      );
      return;
    }
    const hasRun = this.run !== null && this.run !== undefined;
    this.emptyState.replaceChildren(
      el("p", { class: "lm-review-empty-title" }, hasRun ? "No conflict waits" : "No run to compare with"),
      el("p", { class: "lm-review-empty-text" }, hasRun ? "Where the model is sure of the opposite of what is known, the cell would stand here." : "Conflicts appear once a run has scored the cells that are known."),
    );
  }

  act(name) {
    const item = this.items[0];
    if (name === "zoom") this.stage.zoom();
    if (!item) return;
    const claim = -item.state;
    const states = { confirm: item.state, reject: item.state, accept: claim, yes: 1, no: -1, unsure: item.state };
    if (!(name in states)) return;
    const state = states[name];
    const ms = Math.round(performance.now() - this.shownAt);
    this.items.shift();
    this.total = Math.max(0, this.total - 1);
    this.desk.send(
      { origin: "conflicts", run: item.run, ms, suggestion: "score", cells: [[item.image, item.class, state, name === "unsure" ? "unsure" : "set", item.score]] },
      { label: `conflict on ${item.class}`, restore: () => this.giveBack(item), replay: () => this.takeAway(item) },
    );
    this.paint();
    this.prefetch();
    this.refill();
  }

  giveBack(item) {
    this.items.unshift(item);
    this.total += 1;
    this.paint();
  }

  takeAway(item) {
    this.items = this.items.filter((other) => other.cell !== item.cell);
    this.total = Math.max(0, this.total - 1);
    this.paint();
  }
}
