// Answering an audit: the same card, without score and without what the model says.

import { article } from "./review_stream.js";
import { Stage } from "./review_stage.js";

const BATCH = 30;
const REFILL_BELOW = 10;
const PREFETCH = 8;
const SAID = { yes: 1, no: -1, unsure: 0 };

export class AuditRun {
  constructor(desk, root, onLeave) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    this.onLeave = onLeave;
    this.items = [];
    this.build();
  }

  build() {
    const { el, button } = this.context;
    const make = (action, label, extra) => this.desk.actionButton(action, label, extra);
    this.figure = el("figure", { class: "lm-stage", "data-state": "empty" });
    this.stage = new Stage({ el, media: this.context.media, figure: this.figure });
    this.question = el("h2", { class: "lm-question", "aria-live": "polite" });
    this.progress = el("div", { class: "lm-review-progress" });
    this.bar = el("progress", { class: "lm-audit-bar", "aria-label": "Answered" });
    this.where = el("p", { class: "lm-where" });
    this.answers = el("div", { class: "lm-answers" }, make("yes", "Yes", { class: "lm-answer lm-answer-yes" }), make("no", "No", { class: "lm-answer lm-answer-no" }));
    this.more = el("div", { class: "lm-answers-more" }, make("unsure", "Unsure"), make("undo", "Undo"), make("zoom", "Zoom"));
    this.panel = el(
      "aside",
      { class: "lm-card-side", "aria-label": "The question" },
      this.question,
      el("p", { class: "lm-claim-none" }, "Blind: what the model says is hidden, and both answers occur."),
      this.answers,
      this.more,
      this.bar,
      this.progress,
      button("Stop for now", { onclick: () => this.onLeave() }),
      this.where,
    );
    this.root.replaceChildren(el("div", { class: "lm-stream" }, this.figure, this.panel));
  }

  async open(number) {
    if (this.number === number && this.items.length) {
      this.shownAt = performance.now();
      return;
    }
    this.number = number;
    this.items = [];
    this.answered = 0;
    this.total = 0;
    this.ended = false;
    await this.refill();
    this.paint();
  }

  close() {
    this.stage.endZoom();
  }

  async refill() {
    if (this.loading || this.ended) return;
    this.loading = true;
    try {
      const reply = await this.context.api.post(`/api/review/audits/${this.number}/items`, { want: BATCH, have: [...this.items.map((item) => item.cell), ...this.unsent()] });
      this.items.push(...reply.items.filter((item) => !this.items.some((other) => other.cell === item.cell)));
      this.answered = Math.max(this.answered, reply.answered + this.unsent().length);
      this.total = reply.total;
      this.ended = reply.items.length < BATCH;
      this.stage.prefetch(this.items.slice(0, PREFETCH).map((item) => item.image));
    } catch (error) {
      this.context.toastError(error);
    }
    this.loading = false;
  }

  /** Places whose answers have not arrived yet. */
  unsent() {
    const path = `/api/review/audits/${this.number}/answer`;
    return this.desk.outbox.entries.filter((entry) => entry.path === path).map((entry) => entry.body.place);
  }

  paint() {
    const { el, format } = this.context;
    const item = this.items[0];
    this.bar.max = this.total || 1;
    this.bar.value = this.answered;
    this.progress.replaceChildren(el("span", {}, el("b", {}, format.number(this.answered)), ` of ${format.number(this.total)} answered`));
    if (!item) {
      this.stage.clear();
      delete this.root.dataset.cell;
      this.question.replaceChildren(this.total ? "That was the last one. Thank you." : "There is nothing to answer here.");
      this.where.textContent = "";
      this.answers.hidden = true;
      if (this.total && !this.desk.outbox.size) this.onLeave();
      return;
    }
    this.answers.hidden = false;
    this.root.dataset.cell = `${item.image} ${item.class}`;
    this.stage.show(item.image, `Image ${item.path}`);
    this.question.replaceChildren(`Is there ${article(item.class)} `, el("em", {}, item.class), "?");
    this.where.textContent = item.path;
    this.shownAt = performance.now();
  }

  onReply() {
    if (!this.root.hidden && this.total && !this.items.length && !this.desk.outbox.size) this.onLeave();
  }

  act(name) {
    if (name === "zoom") this.stage.zoom();
    const item = this.items[0];
    if (!item || !(name in SAID)) return;
    const ms = Math.round(performance.now() - this.shownAt);
    this.items.shift();
    this.answered += 1;
    this.desk.send(
      { place: item.cell, said: SAID[name], ms },
      {
        path: `/api/review/audits/${this.number}/answer`,
        label: `audit answer on ${item.class}`,
        restore: () => this.giveBack(item),
        replay: () => this.takeAway(item),
      },
    );
    this.paint();
    this.stage.prefetch(this.items.slice(0, PREFETCH).map((other) => other.image));
    if (this.items.length < REFILL_BELOW) this.refill().then(() => this.figure.dataset.state === "empty" && this.items.length && this.paint());
  }

  giveBack(item) {
    this.items.unshift(item);
    this.answered = Math.max(0, this.answered - 1);
    this.paint();
  }

  takeAway(item) {
    this.items = this.items.filter((other) => other.cell !== item.cell);
    this.answered += 1;
    this.paint();
  }
}
