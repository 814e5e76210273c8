// One cell a card: a large picture, one question, one key.

import { filterBar, queryOf } from "./review_filters.js";
import { Stage } from "./review_stage.js";

const BATCH = 50;
const REFILL_BELOW = 16;
const PREFETCH = 8;
const PACE_WINDOW = 20;
const PAUSE_MS = 60000;
const SUGGESTIONS = [["hidden", "Hidden"], ["shown", "Shown"], ["score", "With score"]];
const SUGGESTION_KEY = "lm-review-suggestion";

/** The article that goes with a class name. */
export function article(name) {
  if (/^(uni|use|eu|one)/i.test(name)) return "a";
  return /^([aeiou]|8|11\b|18\b)/i.test(name) ? "an" : "a";
}

export class Stream {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    this.items = [];
    this.served = new Set();
    this.generation = 0;
    this.total = 0;
    this.loading = false;
    this.ended = false;
    this.empty = null;
    this.shownAt = 0;
    this.times = [];
    this.answered = 0;
    this.suggestion = localStorage.getItem(SUGGESTION_KEY) || "shown";
    this.build();
  }

  build() {
    const { el } = this.context;
    this.barSlot = el("div", { class: "lm-review-barslot" });
    this.figure = el("figure", { class: "lm-stage", "data-state": "empty" });
    this.stage = new Stage({ el, media: this.context.media, figure: this.figure });
    this.question = el("h2", { class: "lm-question", "aria-live": "polite" });
    this.claim = el("div", { class: "lm-claim" });
    this.where = el("p", { class: "lm-where" });
    this.progress = el("div", { class: "lm-review-progress lm-review-figures" });
    this.buttons = this.makeButtons();
    this.panel = el(
      "aside",
      { class: "lm-card-side", "aria-label": "The question" },
      this.question,
      this.claim,
      el("div", { class: "lm-answers" }, this.buttons.yes, this.buttons.no),
      el("div", { class: "lm-answers-more" }, this.buttons.unsure, this.buttons.skip, this.buttons.undo),
      el("div", { class: "lm-answers-more" }, this.buttons.zoom, this.buttons.next, this.buttons.help),
      this.suggestionChoice(),
      this.progress,
      this.where,
    );
    this.emptyState = el("div", { class: "lm-review-empty", hidden: true });
    this.body = el("div", { class: "lm-stream" }, this.figure, this.panel);
    this.root.replaceChildren(this.barSlot, this.body, this.emptyState);
  }

  makeButtons() {
    const make = (action, label, extra = {}) => this.desk.actionButton(action, label, extra);
    return {
      yes: make("yes", "Yes", { class: "lm-answer lm-answer-yes", note: true }),
      no: make("no", "No", { class: "lm-answer lm-answer-no", note: true }),
      unsure: make("unsure", "Unsure"),
      skip: make("skip", "Skip"),
      undo: make("undo", "Undo"),
      zoom: make("zoom", "Zoom"),
      next: make("next", "Next class"),
      help: make("help", "Help"),
    };
  }

  suggestionChoice() {
    const { el } = this.context;
    const box = el("fieldset", { class: "lm-suggestion" }, el("legend", {}, "Pseudo-label"));
    SUGGESTIONS.forEach(([value, text]) => {
      const radio = el("input", { type: "radio", name: "lm-suggestion", value });
      radio.checked = value === this.suggestion;
      radio.addEventListener("change", () => {
        this.suggestion = value;
        localStorage.setItem(SUGGESTION_KEY, value);
        radio.blur();
        this.paint();
      });
      box.append(el("label", {}, radio, el("span", {}, text)));
    });
    return box;
  }

  /** Become visible with the values of the address. */
  show(params) {
    const key = JSON.stringify(queryOf(params));
    this.params = params;
    this.barSlot.replaceChildren(
      filterBar(this.context, {
        values: params,
        splits: this.desk.splits,
        parts: ["order", "scope", "class", "sign", "band", "run", "split"],
        change: (name, value) => this.desk.setParams({ [name]: value }),
      }),
    );
    if (key !== this.key) {
      this.key = key;
      this.restart();
    } else if (!this.items.length) {
      this.restart();
    } else {
      this.shownAt = performance.now();
    }
  }

  hide() {
    this.stage.endZoom();
  }

  /** An undo that reached further back than this page: show the cell again. */
  onReply(entry, reply) {
    if (entry.path !== "/api/review/undo" || entry.body.target || entry.body.of || !reply.again?.length) return;
    if (this.desk.current === "stream" && reply.again.length === 1) this.giveBack(reply.again[0]);
    else this.context.toast(`Undone: line ${reply.of}, ${this.context.format.plural(reply.written, "cell")}`);
  }

  /** Forget the queue and ask for it anew, because the filters or the scores changed. */
  restart() {
    this.generation += 1;
    this.desk.release(this.items.slice(1).map((item) => item.cell));
    this.items = [];
    this.ended = false;
    this.empty = null;
    this.loading = false;
    this.paint();
    this.refill();
  }

  /** New scores came: keep the card on screen, take the rest of the queue anew. */
  runChanged() {
    const current = this.items[0];
    this.generation += 1;
    this.desk.release(this.items.slice(1).map((item) => item.cell));
    this.items = current ? [current] : [];
    this.ended = false;
    this.loading = false;
    this.refill();
  }

  async refill() {
    if (this.loading || this.ended || this.items.length >= REFILL_BELOW) return;
    this.loading = true;
    const generation = this.generation;
    let reply;
    try {
      reply = await this.context.api.post("/api/review/queue", {
        query: queryOf(this.params),
        want: BATCH,
        have: this.items.map((item) => item.cell),
        holder: this.desk.holder,
        plant: this.suggestion !== "hidden",
      });
    } catch (error) {
      if (generation !== this.generation) return;
      this.loading = false;
      this.empty = { title: "The queue could not be read", text: error.message, hint: error.hint, retry: true };
      if (!this.items.length) this.paint();
      return;
    }
    if (generation !== this.generation) return;
    this.loading = false;
    this.take(reply);
  }

  take(reply) {
    const lost = new Set(reply.lost);
    this.items = this.items.filter((item, place) => place === 0 || !lost.has(item.cell));
    const held = new Set(this.items.map((item) => item.cell));
    const waiting = this.desk.unsentCells();
    const fresh = reply.items.filter((item) => !held.has(item.cell) && !waiting.has(`${item.image} ${item.class}`));
    const wasEmpty = !this.items.length;
    this.items.push(...fresh);
    this.total = Math.max(0, reply.total - waiting.size);
    this.run = reply.run;
    this.ended = reply.items.length === 0;
    this.empty = reply.empty;
    if (wasEmpty) this.paint();
    else this.paintProgress();
    this.prefetch();
  }

  prefetch() {
    this.stage.prefetch(this.items.slice(0, PREFETCH + 1).map((item) => item.image));
  }

  // drawing ------------------------------------------------------------------

  paint() {
    const item = this.items[0];
    this.body.hidden = !item && !this.loading;
    this.emptyState.hidden = Boolean(item) || this.loading;
    if (!item) {
      this.stage.clear();
      this.figure.dataset.state = this.loading ? "loading" : "empty";
      delete this.root.dataset.cell;
      if (!this.loading) this.paintEmpty();
      return;
    }
    this.root.dataset.cell = `${item.image} ${item.class}`;
    this.stage.show(item.image, `Image ${item.path}`);
    this.paintQuestion(item);
    this.paintProgress();
    this.shownAt = performance.now();
  }

  paintQuestion(item) {
    const { el, stateChip, scoreBar } = this.context;
    const isShown = this.suggestion !== "hidden";
    this.question.replaceChildren(`Is there ${article(item.class)} `, el("em", {}, item.class), "?");
    const score = this.suggestion === "score" ? item.score : null;
    const parts = [];
    if (isShown && item.claim) {
      const says = item.claim > 0 ? "The model thinks so" : "The model thinks not";
      parts.push(stateChip("pseudo", { label: says, sign: item.claim }));
    } else if (isShown) {
      parts.push(el("span", { class: "lm-claim-none" }, item.score === null ? "No model has seen this cell yet" : "The model claims nothing here"));
    } else {
      parts.push(el("span", { class: "lm-claim-none" }, "Pseudo-label hidden"));
    }
    if (score !== null && score !== undefined) parts.push(scoreBar(score));
    this.claim.replaceChildren(...parts);
    const claim = isShown ? item.claim : 0;
    this.desk.paintAnswer(this.buttons.yes, "yes", claim > 0 ? "accept" : claim < 0 ? "reject" : "", `there is ${article(item.class)} ${item.class}`);
    this.desk.paintAnswer(this.buttons.no, "no", claim < 0 ? "accept" : claim > 0 ? "reject" : "", `there is no ${item.class}`);
    this.where.textContent = item.path;
    this.where.title = item.path;
  }

  paintProgress() {
    const { el, format } = this.context;
    const left = Math.max(this.total, this.items.length);
    const pace = this.pace();
    this.progress.replaceChildren(
      el("span", {}, el("b", {}, format.number(left)), " in this queue"),
      el("span", {}, el("b", {}, format.number(this.answered)), " answered now"),
      el("span", {}, el("b", {}, pace ? format.number(Math.round(pace)) : "–"), " a minute"),
    );
  }

  pace() {
    const gaps = this.times.filter((ms) => ms <= PAUSE_MS);
    if (gaps.length < 3) return 0;
    return 60000 / (gaps.reduce((sum, ms) => sum + ms, 0) / gaps.length);
  }

  paintEmpty() {
    const { el } = this.context;
    const empty = this.empty ?? { title: "Nothing here", text: "", steps: [] };
    const steps = (empty.steps ?? []).map((step) =>
      el("button", { class: "lm-button", type: "button", onclick: () => this.desk.follow(step) }, step.label),
    );
    if (empty.retry) steps.push(el("button", { class: "lm-button", type: "button", onclick: () => this.restart() }, "Try again"));
    this.emptyState.replaceChildren(
      el("p", { class: "lm-review-empty-title" }, empty.title),
      el("p", { class: "lm-review-empty-text" }, empty.text ?? ""),
      empty.hint ? el("p", { class: "lm-review-empty-text" }, empty.hint) : "",
      el("div", { class: "lm-review-empty-steps" }, ...steps),
    );
  }

  // answering ----------------------------------------------------------------

  act(name) {
    if (name === "zoom") this.stage.zoom();
    else if (name === "next") this.nextClass();
    else if (name === "score") this.cycleSuggestion();
    else this.answerBy(name);
  }

  answerBy(name) {
    const item = this.items[0];
    if (!item) return;
    const claim = this.suggestion === "hidden" ? 0 : item.claim;
    if ((name === "accept" || name === "reject") && !claim) {
      this.context.toast(`No pseudo-label is shown here: answer with ${this.desk.keyOf("yes")} or ${this.desk.keyOf("no")}`);
      return;
    }
    const states = { yes: 1, no: -1, accept: claim, reject: -claim, unsure: 0, skip: 0 };
    if (!(name in states)) return;
    this.give(item, states[name], name);
  }

  /** The hot path: paint the next card first, then see to the rest. */
  give(item, state, name) {
    const ms = Math.round(performance.now() - this.shownAt);
    this.items.shift();
    this.paint();
    const answer = this.answerOf(item, state, name);
    const body = {
      origin: "stream",
      run: item.run,
      ms,
      holder: this.desk.holder,
      suggestion: this.suggestion,
      cells: [[item.image, item.class, state, answer, item.score]],
    };
    this.answered += 1;
    this.total = Math.max(0, this.total - 1);
    this.times.push(ms);
    if (this.times.length > PACE_WINDOW) this.times.shift();
    this.desk.send(body, {
      label: `${item.class}: ${name}`,
      restore: () => this.giveBack(item),
      replay: () => this.takeAway(item),
    });
    this.prefetch();
    this.paintProgress();
    this.refill();
  }

  answerOf(item, state, name) {
    if (name === "unsure" || name === "skip") return name;
    if (item.state !== 0) return "set";
    if (item.claim) return state === item.claim ? "accept" : "reject";
    return "set";
  }

  giveBack(item) {
    this.items = this.items.filter((other) => other.cell !== item.cell);
    this.items.unshift(item);
    this.answered = Math.max(0, this.answered - 1);
    this.total += 1;
    this.empty = null;
    this.paint();
  }

  takeAway(item) {
    this.items = this.items.filter((other) => other.cell !== item.cell);
    this.answered += 1;
    this.total = Math.max(0, this.total - 1);
    this.paint();
    this.refill();
  }

  nextClass() {
    const names = this.context.session.classNames;
    const now = this.params.class || this.items[0]?.class || names.at(-1);
    this.desk.setParams({ class: names[(names.indexOf(now) + 1) % names.length] });
  }

  cycleSuggestion() {
    const values = SUGGESTIONS.map(([value]) => value);
    const next = values[(values.indexOf(this.suggestion) + 1) % values.length];
    this.root.querySelector(`.lm-suggestion input[value="${next}"]`).click();
  }
}
