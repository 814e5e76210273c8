// The Train tab: start a run, watch it learn, compare it with others. All state comes from the run folders.

import { button, confirm, emptyState, errorState, icon, skeleton, toast, toastError } from "./components.js";
import { el, fill, format } from "./core.js";
import { CompareView } from "./train_compare.js";
import { RunView } from "./train_run.js";
import { StartCard } from "./train_start.js";
import { megabytes, runTitle, statusTag } from "./train_words.js";

const POLL_MS = 1000;
class TrainRoom {
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.runs = null;
    this.current = { run: null, reason: "" };
    this.selected = null;
    this.comparing = null;
    this.timer = 0;
  }

  start() {
    this.startCard = new StartCard(this.context, this);
    this.runView = new RunView(this.context, this);
    this.compareView = new CompareView(this.context, this);
    this.list = el("ol", { class: "lm-runs", "aria-label": "Runs, the newest first" }, skeleton("72px"), skeleton("72px"));
    this.why = el("p", { class: "lm-runs-why", role: "status" });
    this.compareButton = button("Compare", { kind: "quiet", onclick: () => this.compare() });
    this.compareButton.hidden = true;
    const head = el("div", { class: "lm-card-head" }, el("h2", {}, "Runs"), el("span", { class: "lm-end" }, this.compareButton));
    const runs = el("section", { class: "lm-card lm-runs-card", "aria-label": "Runs" }, head, this.why, this.list);
    this.main = el("div", { class: "lm-train-main" }, skeleton("420px"));
    const side = el("div", { class: "lm-train-side" }, this.startCard.node, runs);
    this.root.replaceChildren(el("div", { class: "lm-page lm-train" }, side, this.main));
    this.listen();
    return { show: (params) => this.show(params), hide: () => this.hide() };
  }

  listen() {
    const { bus, keys } = this.context;
    bus.on("run-changed", () => this.visible && this.load());
    bus.on("labels-changed", () => this.visible && this.startCard.load());
    bus.on("reconnected", () => this.visible && this.load());
    keys.register("train", [
      { key: "t", name: "start", description: "Start training with the chosen recipe", run: () => this.startCard.start() },
      { key: "j", name: "next", description: "Show the next older run", run: () => this.step(1) },
      { key: "k", name: "back", description: "Show the next newer run", run: () => this.step(-1) },
      { key: "c", name: "compare", description: "Compare this run with another", run: () => this.compare() },
      { key: "l", name: "log", description: "Open or close the log", run: () => this.runView.toggleLog() },
    ]);
  }

  show(params = {}) {
    if (this.isSaving) return;
    this.visible = true;
    const pair = String(params.compare ?? "").split(",").map(Number).filter(Boolean);
    this.comparing = pair.length === 2 ? pair : null;
    if (params.run) this.selected = Number(params.run);
    this.load();
    this.startCard.load();
  }

  hide() {
    this.visible = false;
    clearTimeout(this.timer);
  }

  // loading --------------------------------------------------------------

  async load() {
    try {
      const answer = await this.context.api.get("/api/train/runs");
      this.take(answer);
    } catch (error) {
      fill(this.list, el("li", {}, errorState(error, () => this.load())));
      if (!this.runs) fill(this.main);
    }
  }

  take({ runs, current }) {
    this.runs = runs;
    this.current = current ?? this.current;
    if (!runs.some((card) => card.run === this.selected)) this.selected = null;
    if (this.comparing && !this.comparing.every((run) => runs.some((card) => card.run === run))) this.comparing = null;
    this.selected ??= (runs.find((card) => card.is_active) ?? runs[0])?.run ?? null;
    this.drawList();
    this.startCard.runsChanged(runs);
    this.drawMain();
    this.watch();
  }

  watch() {
    clearTimeout(this.timer);
    const card = this.runs?.find((one) => one.run === this.selected);
    if (!this.visible || this.comparing || !card?.is_active) return;
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  async poll() {
    const run = this.selected;
    try {
      const answer = await this.context.api.get(`/api/train/runs/${run}`, { offset: this.runView.offset });
      if (run !== this.selected || this.comparing) return;
      const before = this.runs.find((card) => card.run === run);
      Object.assign(before, answer.card);
      this.runView.news(answer);
      this.drawCard(before);
      if (!answer.card.is_active) {
        await this.load();
        this.announce(answer.card);
        return;
      }
    } catch (error) {
      if (error.status !== 0) toastError(error);
    }
    this.watch();
  }

  /** Say what a run that has just ended changed for the person. */
  announce(card) {
    if (card.status === "finished") toast(`${runTitle(card)} has finished: ${card.change?.line ?? "its scores are here"}.`, { kind: "good", seconds: 12, action: { label: "Review", run: () => this.context.address.set("review") } });
    else if (card.status === "failed" || card.status === "died") toast(`${runTitle(card)} ${card.status}.`, { kind: "bad", hint: card.message });
  }

  // the list -------------------------------------------------------------

  drawList() {
    this.compareButton.hidden = this.runs.length < 2;
    fill(this.why, this.whyWords());
    if (!this.runs.length) {
      fill(this.list, el("li", {}, emptyState({ title: "No runs yet", body: "A run learns from what is known and proposes the rest.", drawing: "spark" })));
      return;
    }
    fill(this.list, this.runs.map((card) => this.card(card)));
  }

  whyWords() {
    const { run, reason, is_chosen: isChosen } = this.current;
    if (run === null || run === undefined) return [];
    const own = isChosen ? button("Let the studio choose", { kind: "quiet", onclick: () => this.choose(null) }) : null;
    return [el("span", { class: "lm-mark lm-mark-pseudo", "aria-hidden": "true" }), el("span", {}, `The pseudo-labels come from run ${run}: ${reason}.`), own];
  }

  card(card) {
    const isShown = card.run === this.selected && !this.comparing;
    const change = card.change?.line;
    const facts = [card.map === null ? null : el("span", { class: "lm-run-map" }, `mAP ${card.map.toFixed(3)}`), card.seconds ? format.duration(card.seconds) : null, format.time(card.created * 1000)];
    return el(
      "li",
      { class: ["lm-run", isShown && "is-shown", `is-${card.status}`], dataset: { run: card.run } },
      el(
        "button",
        { type: "button", class: "lm-run-open", "aria-current": isShown ? "true" : null, onclick: () => this.select(card.run) },
        el("span", { class: "lm-run-top" }, el("span", { class: "lm-run-number" }, String(card.run)), el("strong", {}, runTitle(card)), statusTag(card)),
        card.is_active ? this.progress(card) : null,
        el("span", { class: "lm-run-facts" }, facts.filter(Boolean).map((fact, i) => [i ? " · " : "", fact])),
        change ? el("span", { class: "lm-run-change" }, change) : null,
        card.is_current ? el("span", { class: "lm-run-current" }, el("span", { class: "lm-mark lm-mark-pseudo", "aria-hidden": "true" }), "its scores are the pseudo-labels") : null,
      ),
      this.starButton(card),
    );
  }

  progress(card) {
    const left = card.eta_s ? `, ${format.duration(card.eta_s)} left` : "";
    const bar = el("span", { class: "lm-progress", role: "progressbar", "aria-valuenow": Math.round(card.fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": `Run ${card.run}` }, el("span", { style: { width: `${card.fraction * 100}%` } }));
    return el("span", { class: "lm-run-progress" }, bar, el("span", {}, `${card.message}${left}`));
  }

  starButton(card) {
    const words = card.star ? `Take the star off run ${card.run}` : `Star run ${card.run}`;
    return el("button", { type: "button", class: "lm-run-star", "aria-pressed": String(card.star), "aria-label": words, title: words, onclick: () => this.annotate(card.run, { star: !card.star }) }, icon("star"));
  }

  drawCard(card) {
    const entry = this.list.querySelector(`[data-run="${card.run}"]`);
    if (!entry || entry.contains(document.activeElement)) return;
    entry.replaceWith(this.card(card));
  }

  // choosing -------------------------------------------------------------

  select(run) {
    this.selected = run;
    this.comparing = null;
    this.drawList();
    this.drawMain();
    this.watch();
    this.saveAddress();
    this.list.querySelector(`[data-run="${run}"] .lm-run-open`)?.focus({ preventScroll: true });
  }

  step(by) {
    if (!this.runs?.length) return;
    const at = this.runs.findIndex((card) => card.run === this.selected);
    this.select(this.runs[Math.min(this.runs.length - 1, Math.max(0, at + by))].run);
  }

  compare(pair) {
    if (!this.runs || this.runs.length < 2) return;
    const numbers = this.runs.map((card) => card.run);
    const at = numbers.indexOf(this.selected);
    this.comparing = pair ?? [numbers[at + 1] ?? numbers[at - 1], this.selected].sort((a, b) => a - b);
    this.drawList();
    this.drawMain();
    this.watch();
    this.saveAddress();
  }

  saveAddress() {
    this.isSaving = true;
    const params = this.comparing ? { compare: this.comparing.join(",") } : { run: this.selected };
    this.context.address.set("train", params, { replace: true });
    this.isSaving = false;
  }

  drawMain() {
    if (this.comparing) {
      if (this.main.firstChild !== this.compareView.node) this.main.replaceChildren(this.compareView.node);
      this.compareView.show(this.comparing, this.runs);
      return;
    }
    const card = this.runs.find((one) => one.run === this.selected);
    if (!card) {
      fill(this.main, el("div", { class: "lm-card" }, emptyState({ title: "Nothing has been trained yet", body: "Choose a recipe on the left and press Start. Here you then see the model learn: loss, precision on held-out cells, and the pseudo-labels it finds.", drawing: "spark" })));
      return;
    }
    if (this.main.firstChild !== this.runView.node) this.main.replaceChildren(this.runView.node);
    this.runView.show(card);
  }

  // changing -------------------------------------------------------------

  async started({ run, runs }) {
    this.selected = run;
    this.comparing = null;
    this.take({ runs });
    this.saveAddress();
    toast(`Run ${run} has started.`, { kind: "good" });
  }

  async control(run, action) {
    try {
      const answer = await this.context.api.post(`/api/train/runs/${run}/control`, { action });
      Object.assign(this.runs.find((card) => card.run === run) ?? {}, answer.card);
      this.runView.news(answer);
      await this.load();
    } catch (error) {
      toastError(error);
    }
  }

  async annotate(run, change) {
    try {
      await this.context.api.post(`/api/train/runs/${run}/meta`, change);
      await this.load();
    } catch (error) {
      toastError(error);
    }
  }

  async choose(run) {
    try {
      const answer = await this.context.api.post("/api/train/choose", { run });
      toast(answer.reason.charAt(0).toUpperCase() + answer.reason.slice(1), { kind: "good" });
      await this.load();
    } catch (error) {
      toastError(error);
    }
  }

  async remove(run) {
    try {
      const loss = await this.context.api.get(`/api/train/runs/${run}/deletion`);
      const card = this.runs.find((one) => one.run === run);
      const agreed = await confirm({ title: `Delete ${runTitle(card)}?`, body: deletionWords(run, loss), confirm: `Delete run ${run}`, danger: true });
      if (!agreed) return;
      const answer = await this.context.api.post(`/api/train/runs/${run}/delete`, {});
      toast(`Run ${run} is deleted; ${megabytes(answer.bytes)} are free again.`, { kind: "good" });
      this.selected = null;
      await this.load();
      this.saveAddress();
    } catch (error) {
      toastError(error);
    }
  }
}

function deletionWords(run, loss) {
  const words = [el("p", {}, `This frees ${megabytes(loss.bytes)}. Curves, scores and weights of run ${run} are gone for good; decisions that people made stay.`)];
  if (loss.is_current) {
    words.push(el("p", {}, loss.next_current ? `Its scores are the pseudo-labels now; those of another run will take their place.` : "Its scores are the pseudo-labels now; there will be none until the next run."));
  }
  if (loss.heirs.length) words.push(el("p", {}, `Run ${loss.heirs.join(", ")} started from its weights and keeps its own.`));
  return el("div", { class: "lm-train-words" }, words);
}

export function mount(root, context) {
  return new TrainRoom(root, context).start();
}
