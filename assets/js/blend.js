// The Blend tab: draw a blend like the trainer, or build one; its truth table, and what else can be seen of it.

import { BlendBar, MOST_SOURCES } from "./blend_bar.js";
import { emptyState, skeleton } from "./components.js";
import { actionId } from "./core.js";
import { exportPicture } from "./blend_export.js";
import { methodsPanel, networkPanel, scoresPanel } from "./blend_panels.js";
import { openPicker } from "./blend_picker.js";
import { statisticsPanel } from "./blend_statistics.js";
import { truthPanel } from "./blend_table.js";

const IMAGE_SIZE = 448;
const FIRST_SEED = 526;
const SLOW_MS = 400;

const PANELS = [
  { name: "truth", title: "Truth table", make: truthPanel },
  { name: "methods", title: "Other methods", make: methodsPanel },
  { name: "network", title: "As the network sees it", make: networkPanel },
  { name: "scores", title: "Model scores", make: scoresPanel },
  { name: "statistics", title: "1,000 blends", make: statisticsPanel },
];

export function blendImageUrl(ids, extra = {}) {
  const query = new URLSearchParams({ ids: ids.join(","), size: IMAGE_SIZE, ...extra });
  return `/api/blend/image?${query}`;
}

class BlendLab {
  constructor(root, context) {
    this.root = root;
    this.context = context;
    this.blend = null;
    this.draw = { seed: FIRST_SEED, k_min: 2, k_max: 3, probability: 0.5, blends_only: true };
    this.withPseudo = false;
    this.mode = "draw";
    this.panel = "truth";
    this.past = [];
    this.undoable = [];
    this.asked = 0;
    this.stale = false;
  }

  start() {
    this.bar = new BlendBar(this.context, this);
    this.root.replaceChildren(this.context.el("div", { class: "lm-page lm-blend" }, this.bar.node, this.stage()));
    this.panels = new Map(PANELS.map((panel) => [panel.name, panel.make(this.context, this)]));
    this.registerKeys();
    const { bus } = this.context;
    bus.on("decided", (change) => this.labelsChanged(change));
    bus.on("labels-changed", (change) => this.labelsChanged(change));
    bus.on("scores-changed", () => this.labelsChanged());
    bus.on("settings-changed", () => this.withPseudo && this.labelsChanged());
    return { show: (params) => this.show(params), hide: () => this.hide() };
  }

  // layout ---------------------------------------------------------------

  stage() {
    const { el } = this.context;
    this.picture = el("img", { class: "lm-blend-picture", alt: "", width: IMAGE_SIZE, height: IMAGE_SIZE, decoding: "async" });
    this.picture.addEventListener("load", () => this.frame.classList.remove("is-loading"));
    this.picture.addEventListener("error", () => this.pictureFailed());
    this.frame = el("div", { class: "lm-blend-frame is-loading" }, this.picture);
    this.caption = el("p", { class: "lm-blend-caption", role: "status", "aria-live": "polite" });
    this.sources = el("ol", { class: "lm-blend-sources", "aria-label": "Sources of the blend" });
    const left = el("section", { class: "lm-blend-left", "aria-label": "Blend and its sources" }, this.frame, this.caption, this.sources);
    this.tabButtons = new Map(PANELS.map((panel) => [panel.name, this.panelButton(panel)]));
    const tabs = el("div", { class: "lm-blend-tabs", role: "tablist", "aria-label": "What to see of the blend" }, ...this.tabButtons.values());
    tabs.addEventListener("keydown", (event) => this.moveTab(event));
    this.body = el("div", { class: "lm-blend-body", id: "lm-blend-body", role: "tabpanel", tabindex: "0" });
    const right = el("section", { class: "lm-blend-right", "aria-label": "What is known of the blend" }, tabs, this.body);
    return el("div", { class: "lm-blend-stage" }, left, right);
  }

  panelButton(panel) {
    const { el } = this.context;
    const attributes = { type: "button", role: "tab", class: "lm-blend-tab", id: `lm-blend-tab-${panel.name}`, "aria-controls": "lm-blend-body" };
    return el("button", { ...attributes, onclick: () => this.setPanel(panel.name) }, panel.title);
  }

  moveTab(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = PANELS.map((panel) => panel.name);
    const name = names[(names.indexOf(this.panel) + step + names.length) % names.length];
    this.setPanel(name);
    this.tabButtons.get(name).focus();
  }

  registerKeys() {
    const { keys } = this.context;
    keys.register("blend", [
      { key: "n", name: "next", description: "Draw the next blend", run: () => this.next() },
      { key: "p", name: "back", description: "Back to the blend before", run: () => this.back() },
      { key: "i", name: "pick", description: "Add images to the blend", run: () => this.pick() },
      { key: "u", name: "undo", description: "Undo the last answer given here", run: () => this.undo() },
      { key: "s", name: "save", description: "Save the blend as PNG", run: () => this.save() },
      { key: "l", name: "link", description: "Copy a link to this blend", run: () => this.copyLink() },
      ...PANELS.map((panel, i) => ({ key: String(i + 1), name: `panel-${panel.name}`, description: `Show: ${panel.title}`, run: () => this.setPanel(panel.name) })),
    ]);
  }

  // address --------------------------------------------------------------

  show(params = {}) {
    if (this.isSaving) return;
    this.visible = true;
    const ids = params.ids ? String(params.ids).split(",").filter(Boolean) : null;
    if (params.panel && this.panels.has(params.panel)) this.panel = params.panel;
    this.withPseudo = params.pseudo === "1";
    this.readDraw(params);
    this.mode = params.mode === "build" ? "build" : "draw";
    this.showMode();
    this.showPanelTabs();
    const same = this.blend && ids && ids.join() === this.blend.ids.join() && !this.stale;
    if (same) this.renderPanel();
    else if (ids) this.load(ids, { seed: params.seed ? Number(params.seed) : null });
    else if (this.blend && this.mode === "draw" && !this.stale) this.render();
    else if (this.mode === "build") this.setIds([]);
    else this.drawBlend({ telling: params.seed === undefined });
  }

  hide() {
    this.visible = false;
  }

  readDraw(params) {
    const number = (value, fallback) => (value !== undefined && Number.isFinite(Number(value)) ? Number(value) : fallback);
    this.draw.seed = number(params.seed, this.draw.seed);
    this.draw.probability = number(params.probability, this.draw.probability);
    const [low, high] = String(params.k ?? "").split("-").map(Number);
    if (low && high) Object.assign(this.draw, { k_min: low, k_max: high });
    this.showDraw();
  }

  saveAddress({ replace = true } = {}) {
    if (!this.visible) return;
    const { seed, k_min: low, k_max: high, probability } = this.draw;
    const params = this.mode === "draw" ? { seed, k: `${low}-${high}`, probability } : { mode: "build" };
    if (this.blend?.ids.length) params.ids = this.blend.ids.join(",");
    if (this.panel !== "truth") params.panel = this.panel;
    if (this.withPseudo) params.pseudo = "1";
    this.isSaving = true; // the address tells every tab to show itself, this one too
    this.context.address.set("blend", params, { replace });
    this.isSaving = false;
  }

  async copyLink() {
    this.saveAddress();
    try {
      await navigator.clipboard.writeText(location.href);
      this.context.toast("Link copied: it leads to these images in this order.");
    } catch {
      this.context.toast("The browser does not let a page copy here. The link stands in the address bar.", { kind: "bad" });
    }
  }

  // choosing -------------------------------------------------------------

  setMode(mode) {
    if (mode === this.mode) return;
    this.mode = mode;
    this.showMode();
    this.render();
    this.saveAddress();
    if (mode === "build" && !this.blend?.ids.length) this.pick();
  }

  showMode() {
    this.bar.showMode(this.mode);
  }

  setDraw(name, value, min, max) {
    const bounded = typeof value === "number" ? Math.min(max, Math.max(min, Number.isFinite(value) ? value : min)) : value;
    this.draw[name] = bounded;
    if (this.draw.k_min > this.draw.k_max) this.draw[name === "k_min" ? "k_max" : "k_min"] = bounded;
    this.showDraw();
    this.drawBlend();
  }

  showDraw() {
    this.bar.showDraw(this.draw);
  }

  next() {
    if (this.mode !== "draw") this.setMode("draw");
    this.draw.seed += 1;
    this.drawBlend();
  }

  back() {
    const before = this.past.pop();
    if (!before) return;
    this.draw.seed = before.seed ?? this.draw.seed;
    this.showDraw();
    this.load(before.ids, { seed: before.seed, remember: false });
  }

  setIds(ids) {
    this.mode = "build";
    this.showMode();
    if (ids.length) this.load(ids, { seed: null });
    else {
      this.blend = null;
      this.render();
      this.saveAddress();
    }
  }

  async pick() {
    const now = this.mode === "build" ? (this.blend?.ids ?? []) : [];
    const chosen = await openPicker(this.context, { chosen: now, most: MOST_SOURCES });
    if (chosen) this.setIds(chosen);
  }

  remove(position) {
    const ids = this.blend.ids.filter((_, i) => i !== position);
    this.setIds(ids);
  }

  setPseudo(withPseudo) {
    this.withPseudo = withPseudo;
    if (this.blend) this.load(this.blend.ids, { seed: this.blend.seed, remember: false });
  }

  setPanel(name) {
    this.panel = name;
    this.showPanelTabs();
    this.renderPanel();
    this.saveAddress();
  }

  showPanelTabs() {
    for (const [name, button] of this.tabButtons) {
      button.setAttribute("aria-selected", String(name === this.panel));
      button.tabIndex = name === this.panel ? 0 : -1;
    }
    this.body.setAttribute("aria-labelledby", `lm-blend-tab-${this.panel}`);
  }

  // loading --------------------------------------------------------------

  /** `telling`: the first blend that somebody sees shall have something to see. */
  async drawBlend({ telling = false } = {}) {
    const { seed, k_min, k_max, probability, blends_only } = this.draw;
    const query = { seed, k_min, k_max, probability, blends_only: Number(blends_only), telling: Number(telling && blends_only), pseudo: Number(this.withPseudo) };
    const blend = await this.ask("/api/blend/draw", query);
    if (!blend) return;
    this.draw.seed = blend.seed;
    this.showDraw();
    this.take(blend, { remember: true });
  }

  async load(ids, { seed = null, remember = true } = {}) {
    const blend = await this.ask("/api/blend/labels", { ids: ids.join(","), pseudo: Number(this.withPseudo) });
    if (blend) this.take({ ...blend, seed }, { remember });
  }

  async refresh() {
    if (!this.blend) return;
    const { ids, seed } = this.blend;
    const blend = await this.ask("/api/blend/labels", { ids: ids.join(","), pseudo: Number(this.withPseudo) }, { quiet: true });
    if (!blend) return;
    this.stale = false;
    this.blend = { ...blend, seed };
    this.render();
  }

  async ask(path, query, { quiet = false } = {}) {
    const ticket = (this.asked += 1);
    if (!quiet) this.frame.classList.add("is-loading");
    const slow = quiet || this.blend ? 0 : setTimeout(() => this.isSlow(ticket), SLOW_MS);
    try {
      const answer = await this.context.api.get(path, query);
      return ticket === this.asked ? answer : null;
    } catch (error) {
      if (ticket === this.asked) this.failed(error);
      return null;
    } finally {
      clearTimeout(slow);
    }
  }

  /** The first blend imports the library that mixes, which takes a few seconds once. */
  isSlow(ticket) {
    if (ticket !== this.asked) return;
    const { el } = this.context;
    this.caption.textContent = "Loading what mixes images: this takes a few seconds, once.";
    this.body.replaceChildren(el("div", { class: "lm-blend-panel" }, [40, 34, 34, 34, 34, 34].map((height) => skeleton(`${height}px`))));
  }

  take(blend, { remember }) {
    if (remember && this.blend && this.blend.ids.join() !== blend.ids.join()) this.past = [...this.past, this.blend].slice(-50);
    this.stale = false;
    this.blend = blend;
    this.panels.get("truth").forget();
    this.render();
    this.saveAddress();
  }

  failed(error) {
    const { el } = this.context;
    this.blend = null;
    this.frame.classList.remove("is-loading");
    this.frame.replaceChildren(el("div", { class: "lm-blend-empty", role: "alert" }, el("strong", {}, error.message), el("span", {}, error.hint ?? "")));
    this.caption.textContent = "";
    this.sources.replaceChildren();
    this.renderPanel();
  }

  labelsChanged(change) {
    if (change?.from === "blend" || (change?.seq && change.seq === this.blend?.seq)) return;
    if (this.visible) this.refresh();
    else this.stale = true;
  }

  // showing --------------------------------------------------------------

  render() {
    const { el } = this.context;
    if (!this.blend) {
      const start = el("button", { type: "button", class: "lm-button", onclick: () => this.pick() }, "Choose images");
      this.frame.classList.remove("is-loading");
      this.frame.replaceChildren(el("div", { class: "lm-blend-empty" }, el("strong", {}, "No images yet"), el("span", {}, "Choose two to six: by hand, by class or by state."), start));
      this.caption.textContent = "";
      this.sources.replaceChildren();
      this.renderPanel();
      return;
    }
    const url = blendImageUrl(this.blend.ids);
    if (this.frame.firstChild !== this.picture) this.frame.replaceChildren(this.picture);
    if (this.picture.getAttribute("src") !== url) {
      this.frame.classList.add("is-loading");
      this.picture.src = url;
    } else if (this.picture.complete) this.frame.classList.remove("is-loading");
    this.picture.alt = `Blend of ${this.blend.sources.map((source) => source.path).join(", ")}`;
    this.caption.textContent = this.captionWords();
    this.sources.replaceChildren(...this.blend.sources.map((source, i) => this.sourceCard(source, i)));
    this.renderPanel();
  }

  captionWords() {
    const { sources, seed, counts } = this.blend;
    const labels = `${counts.positive} positive, ${counts.negative} negative, ${counts.open} open of ${counts.all} classes`;
    if (sources.length === 1) {
      return seed === null ? `One image: its own labels, nothing is mixed. ${labels}.` : `Seed ${seed} stays an original: nothing is mixed. ${labels}.`;
    }
    return `The mean of ${sources.length} images${seed === null ? "" : `, seed ${seed}`}. ${labels}.`;
  }

  sourceCard(source, position) {
    const { el, thumb } = this.context;
    const name = source.path.split("/").pop();
    const open = el("a", { class: "lm-blend-source-link", href: `#/browse?image=${source.id}`, title: source.path }, name);
    const image = el("img", { src: thumb(source.id, 256), alt: "", loading: "lazy", width: 120, height: 90 });
    const known = el("span", { class: "lm-blend-source-known" }, `${source.known} of ${this.blend.counts.all} known`);
    const parts = [el("span", { class: "lm-blend-source-number", "aria-label": `image ${position + 1}` }, String(position + 1)), image, open, known];
    if (this.mode === "build") {
      const words = `Take image ${position + 1} out`;
      parts.push(el("button", { type: "button", class: "lm-blend-source-remove", "aria-label": words, title: words, onclick: () => this.remove(position) }, "×"));
    }
    return el("li", { class: "lm-blend-source", dataset: { position } }, ...parts);
  }

  renderPanel() {
    if (!this.blend && this.panel === "truth") {
      this.body.replaceChildren(emptyState({ title: "No blend yet", body: "For each class, its sources, its label and the reason stand here." }));
      return;
    }
    const panel = this.panels.get(this.panel);
    if (this.body.firstChild !== panel.node) this.body.replaceChildren(panel.node);
    panel.render(this.blend);
  }

  pictureFailed() {
    const { el } = this.context;
    this.frame.classList.remove("is-loading");
    this.frame.replaceChildren(
      el("div", { class: "lm-blend-empty", role: "alert" }, el("strong", {}, "The blend could not be drawn"), el("span", {}, "One of its images can't be read: the image is missing or broken on disk.")),
    );
  }

  // answering ------------------------------------------------------------

  async answer(row, position, state) {
    const { api, toast, bus } = this.context;
    const source = this.blend.sources[position];
    const claim = row.pseudo[position];
    const kind = claim === 0 ? "set" : claim === state ? "accept" : "reject";
    const cell = [source.id, row.class, state, kind, row.scores?.[position] ?? null];
    const body = { id: actionId(), origin: "blend", run: this.blend.run, cells: [cell], extra: { sources: this.blend.ids } };
    const before = row.result;
    try {
      const receipt = await api.post("/api/cells/decide", body);
      this.undoable.push(receipt.seq);
      this.panels.get("truth").touched(row.class);
      await this.refresh();
      bus.emit("decided", { from: "blend", seq: receipt.seq });
      if (receipt.skipped?.length) toast("Somebody answered this cell meanwhile; their answer stands.", { kind: "bad" });
      else toast(this.changeWords(row.class, before), { action: { label: "Undo", run: () => this.undo() } });
    } catch (error) {
      toast(`${error.message}${error.hint ? ` (${error.hint})` : ""}`, { kind: "bad" });
    }
  }

  changeWords(className, before) {
    const words = { 1: "positive", 0: "unknown", "-1": "negative" };
    const now = this.blend?.rows.find((row) => row.class === className)?.result ?? 0;
    if (now === before) return `Saved. The blend's ${className} is still ${words[now]}.`;
    return `Saved. The blend's ${className} went from ${words[before]} to ${words[now]}.`;
  }

  async undo() {
    const { api, toast, bus } = this.context;
    const seq = this.undoable.pop();
    if (seq === undefined) {
      toast("Nothing was answered here yet.");
      return;
    }
    try {
      const receipt = await api.post("/api/cells/undo", { id: actionId(), of: seq });
      await this.refresh();
      bus.emit("decided", { from: "blend", seq: receipt.seq });
      toast("Taken back.");
    } catch (error) {
      toast(`${error.message}${error.hint ? ` (${error.hint})` : ""}`, { kind: "bad" });
    }
  }

  async save() {
    if (!this.blend) return;
    try {
      await exportPicture(this.context, this.blend, blendImageUrl(this.blend.ids));
    } catch (error) {
      this.context.toast(`The picture could not be made: ${error.message}`, { kind: "bad" });
    }
  }
}

export function mount(root, context) {
  return new BlendLab(root, context).start();
}
