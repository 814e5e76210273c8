// Start a run: recipes in plain words with their time, and a drawer with every setting.

import { button, dialog, errorState, icon, skeleton, toastError } from "./components.js";
import { debounce, el, fill, format } from "./core.js";
import { groupTitle, settingWords, valueWords } from "./train_words.js";

const SOURCES = { released: "released settings", paper: "paper", measured: "measured by us", ours: "our judgement" };

export class StartCard {
  constructor(context, room) {
    this.context = context;
    this.room = room;
    this.recipes = null;
    this.chosen = null;
    this.overrides = {};
    this.initFrom = "";
    this.runs = [];
    this.body = el("div", { class: "lm-card-body lm-start" }, skeleton("390px"));
    this.node = el("section", { class: "lm-card lm-start-card", "aria-label": "Start a run" }, el("div", { class: "lm-card-head" }, el("h2", {}, "Train")), this.body);
  }

  async load() {
    try {
      const { recipes, readiness } = await this.context.api.get("/api/train/recipes");
      this.recipes = recipes;
      this.readiness = readiness;
      this.chosen ??= recipes[0]?.name ?? null;
      this.draw();
      if (this.isPreviewed()) await this.ask();
    } catch (error) {
      fill(this.body, errorState(error, () => this.load()));
    }
  }

  runsChanged(runs) {
    const states = JSON.stringify(runs.map((card) => [card.run, card.status, card.name]));
    if (states === this.states) return;
    this.states = states;
    this.runs = runs;
    if (this.recipes) this.load();
  }

  recipe() {
    return this.recipes.find((one) => one.name === this.chosen);
  }

  /** What the server is asked for: the seed belongs to the run, everything else to its recipe. */
  asked() {
    return asRequest(this.chosen, this.overrides, this.initFrom);
  }

  /** Other settings or weights than the recipe's own take another time, which is asked for apart. */
  isPreviewed() {
    return Boolean(this.initFrom) || Object.keys(this.overrides).length > 0;
  }

  async ask() {
    const asked = this.asked();
    try {
      const preview = this.isPreviewed() ? await this.context.api.post("/api/train/preview", asked) : null;
      if (JSON.stringify(asked) !== JSON.stringify(this.asked())) return;
      this.preview = preview;
      this.draw();
    } catch (error) {
      toastError(error);
    }
  }

  timeNow() {
    return (this.preview ?? this.recipe()).time;
  }

  // drawing --------------------------------------------------------------

  draw() {
    const hadFocus = this.body.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const recipes = el("div", { class: "lm-recipes", role: "radiogroup", "aria-label": "Recipe" }, this.recipes.map((recipe) => this.option(recipe)));
    fill(this.body, this.readinessWords(), recipes, this.fields(), this.timeWords(), this.actions());
    if (hadFocus) this.body.querySelector(`[data-focus="${hadFocus}"]`)?.focus();
  }

  readinessWords() {
    const { images, positive, negative, unknown, classes, learnable, since_last: since, is_ready: isReady } = this.readiness;
    if (!isReady) {
      const words = images ? "There is nothing to learn from yet: a model needs at least one known positive and one known negative cell outside split test." : "There is no image to train on: images of split test are never trained on.";
      return el("div", { class: "lm-start-problem" }, icon("warning"), el("span", {}, words, " ", images ? el("a", { href: "#/browse" }, "Answer some in Browse") : null));
    }
    const total = positive + negative + unknown;
    const lines = [`${format.percent((positive + negative) / total)} of the cells to train on are known: ${format.number(positive)} positive, ${format.number(negative)} negative.`];
    if (learnable < classes) lines.push(`${learnable} of ${classes} classes have both and can be measured.`);
    if (since !== null && since !== undefined) lines.push(since ? `${format.plural(since, "answer")} since the last run.` : "Nothing new since the last run.");
    return el("p", { class: "lm-start-words" }, lines.join(" "));
  }

  option(recipe) {
    const isChosen = recipe.name === this.chosen;
    const changed = isChosen ? Object.keys(this.overrides).length : 0;
    return el(
      "button",
      { type: "button", role: "radio", class: "lm-recipe", "aria-checked": String(isChosen), tabindex: isChosen ? 0 : -1, dataset: { focus: `recipe-${recipe.name}` }, onclick: () => this.pick(recipe.name), onkeydown: (event) => this.move(event, recipe.name) },
      el("span", { class: "lm-recipe-top" }, el("strong", {}, recipe.title), this.time(isChosen ? this.timeNow() : recipe.time)),
      el("span", { class: "lm-recipe-words" }, recipe.words),
      changed ? el("span", { class: "lm-recipe-changed" }, `${format.plural(changed, "setting")} changed`) : null,
    );
  }

  time(time) {
    if (!time) return el("span", { class: "lm-recipe-time is-open" }, "time not known yet");
    return el("span", { class: "lm-recipe-time", title: `Estimated ${time.basis}` }, `about ${format.duration(time.seconds)}`, el("small", {}, ` ${time.basis}`));
  }

  move(event, name) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = this.recipes.map((recipe) => recipe.name);
    const next = names[(names.indexOf(name) + step + names.length) % names.length];
    this.pick(next);
    this.body.querySelector(`[data-focus="recipe-${next}"]`)?.focus();
  }

  pick(name) {
    if (name === this.chosen) return;
    this.chosen = name;
    this.overrides = {};
    this.preview = null;
    this.draw();
    if (this.isPreviewed()) this.ask();
  }

  fields() {
    const warm = this.runs.filter((card) => card.status === "finished");
    const select = el("select", { class: "lm-input", dataset: { focus: "init" }, onchange: () => ((this.initFrom = select.value), this.ask()) }, el("option", { value: "" }, "the backbone's own weights"), warm.map((card) => el("option", { value: card.run, selected: String(card.run) === this.initFrom }, `run ${card.run}${card.name ? ` · ${card.name}` : ""}`)));
    return el("label", { class: "lm-field lm-start-from" }, "Start from", select);
  }

  /** What the time hangs on: features that are there already cost nothing, and an unknown machine can be measured. */
  timeWords() {
    const time = this.timeNow();
    if (!time) return el("p", { class: "lm-start-words lm-start-measure" }, "Not timed here yet.", button("Measure the time", { onclick: (event) => this.measure(event.currentTarget), title: "Trains on a few made-up images for some seconds" }));
    const { name } = this.recipe();
    const { numImages } = this.context.session;
    if (name !== "quick") return null;
    const words = !time.to_embed ? "The features of all images are there already." : time.to_embed >= numImages ? `The features of ${format.plural(numImages, "image")} are computed first; the next quick look then has them.` : `The features of ${format.number(time.to_embed)} of ${format.plural(numImages, "image")} are computed first.`;
    return el("p", { class: "lm-start-words" }, words);
  }

  actions() {
    const active = this.runs.find((card) => card.is_active);
    const begin = button("Start training", { kind: "primary", icon: "play", onclick: () => this.start() });
    begin.dataset.focus = "start";
    begin.disabled = !this.readiness.is_ready || Boolean(active);
    begin.append(this.context.keys.hint("train", { name: "start", key: "t" }));
    const settings = button("Settings", { kind: "quiet", icon: "settings", onclick: () => this.openSettings() });
    const why = active ? el("p", { class: "lm-start-words" }, `Run ${active.run} is on its way; one run at a time.`) : null;
    return [el("div", { class: "lm-start-actions" }, begin, settings), why];
  }

  // doing ----------------------------------------------------------------

  async start() {
    if (!this.recipes || !this.readiness.is_ready || this.isStarting || this.runs.some((card) => card.is_active)) return;
    this.isStarting = true;
    try {
      const answer = await this.context.api.post("/api/train/start", this.asked());
      await this.room.started(answer);
    } catch (error) {
      toastError(error);
    } finally {
      this.isStarting = false;
    }
  }

  async measure(pressed) {
    pressed.disabled = true;
    pressed.textContent = "Measuring …";
    try {
      await this.context.api.post("/api/train/measure", this.asked());
      await this.load();
    } catch (error) {
      toastError(error);
      this.draw();
    }
  }

  openSettings() {
    new SettingsDrawer(this.context, this.recipe(), this.overrides, this.initFrom, (overrides) => {
      this.overrides = overrides;
      this.preview = null;
      this.draw();
      this.ask();
    });
  }
}

function asRequest(recipe, { seed, ...overrides }, initFrom) {
  return { recipe, overrides, init_from: initFrom ? Number(initFrom) : null, ...(seed === undefined ? {} : { seed }) };
}

/** Every setting of a recipe and the run's seed, made from their descriptions. */
class SettingsDrawer {
  constructor(context, recipe, overrides, initFrom, done) {
    this.context = context;
    this.recipe = recipe;
    this.initFrom = initFrom;
    this.overrides = { ...overrides };
    this.done = done;
    this.check = debounce(() => this.ask(), 250);
    this.search = el("input", { type: "search", class: "lm-input", placeholder: "Find a setting", "aria-label": "Find a setting" });
    this.search.addEventListener("input", () => this.filter());
    this.say = el("p", { class: "lm-settings-say", role: "status", "aria-live": "polite" });
    this.groups = el("div", { class: "lm-settings-groups" }, this.makeGroups());
    this.use = button("Use these settings", { kind: "primary", onclick: () => this.finish() });
    const reset = button("All defaults", { kind: "quiet", onclick: () => this.reset() });
    this.shown = dialog({ title: `${recipe.title}: settings`, body: [this.search, this.groups], footer: [this.say, reset, this.use], drawer: true });
    this.shown.node.classList.add("lm-settings-drawer");
    this.tell({ time: recipe.time, epochs: recipe.epochs });
    if (Object.keys(this.overrides).length) this.ask();
  }

  makeGroups() {
    const groups = new Map();
    for (const field of this.recipe.fields) {
      const name = field.name.split(".")[0];
      groups.set(name, [...(groups.get(name) ?? []), field]);
    }
    return [...groups].map(([name, fields], i) => {
      const isOpen = i < 3 || fields.some((field) => field.name in this.overrides);
      return el("details", { class: "lm-settings-group", open: isOpen }, el("summary", {}, groupTitle(name), el("small", {}, format.plural(fields.length, "setting"))), fields.map((field) => this.row(field)));
    });
  }

  row(field) {
    const id = `lm-setting-${field.name.replaceAll(".", "-")}`;
    const input = this.input(field, id);
    const range = field.low !== null && field.high !== null ? `${valueWords(field.low)} to ${valueWords(field.high)}` : field.low !== null ? `from ${valueWords(field.low)}` : field.high !== null ? `up to ${valueWords(field.high)}` : "";
    const facts = [`default ${valueWords(field.default)}`, range && `range ${range}`, SOURCES[field.source] ?? field.source].filter(Boolean).join(" · ");
    const row = el(
      "div",
      { class: ["lm-setting", field.name in this.overrides && "is-changed"], dataset: { setting: field.name, words: `${field.name} ${settingWords(field.name)} ${field.help}`.toLowerCase() } },
      el("label", { class: "lm-setting-name", for: id }, settingWords(field.name)),
      input,
      el("p", { class: "lm-setting-help", id: `${id}-help` }, field.help),
      el("p", { class: "lm-setting-facts" }, facts),
    );
    return row;
  }

  input(field, id) {
    const value = this.overrides[field.name] ?? field.default;
    const shared = { id, "aria-describedby": `${id}-help`, class: "lm-input lm-setting-input" };
    if (field.type === "bool") return el("input", { ...shared, class: "lm-setting-box", type: "checkbox", checked: value, onchange: (event) => this.change(field, event.target.checked) });
    if (field.choices.length) return el("select", { ...shared, onchange: (event) => this.change(field, field.choices[event.target.selectedIndex]) }, field.choices.map((one) => el("option", { selected: one === value }, String(one))));
    const isNumber = field.type === "int" || field.type === "float";
    const input = el("input", { ...shared, type: isNumber ? "number" : "text", value, min: field.low, max: field.high, step: field.type === "int" ? 1 : "any" });
    input.addEventListener("input", () => this.change(field, isNumber ? (input.value === "" ? field.default : Number(input.value)) : input.value));
    return input;
  }

  change(field, value) {
    if (value === field.default) delete this.overrides[field.name];
    else this.overrides[field.name] = value;
    this.groups.querySelector(`[data-setting="${field.name}"]`)?.classList.toggle("is-changed", field.name in this.overrides);
    this.check();
  }

  async ask() {
    try {
      this.tell(await this.context.api.post("/api/train/preview", asRequest(this.recipe.name, this.overrides, this.initFrom)));
      this.use.disabled = false;
    } catch (error) {
      this.say.textContent = error.message;
      this.say.classList.add("is-problem");
      this.use.disabled = true;
    }
  }

  tell({ time, epochs }) {
    this.say.classList.remove("is-problem");
    const count = Object.keys(this.overrides).length;
    const changed = count ? `${format.plural(count, "setting")} changed` : "all defaults";
    this.say.textContent = [changed, epochs && `${format.number(epochs)} epochs at most`, time && `about ${format.duration(time.seconds)}`].filter(Boolean).join(" · ");
  }

  filter() {
    const query = this.search.value.trim().toLowerCase();
    for (const group of this.groups.children) {
      let found = 0;
      for (const row of group.querySelectorAll(".lm-setting")) {
        row.hidden = Boolean(query) && !row.dataset.words.includes(query);
        if (!row.hidden) found += 1;
      }
      group.hidden = !found;
      if (query && found) group.open = true;
    }
  }

  reset() {
    this.overrides = {};
    fill(this.groups, this.makeGroups());
    this.ask();
  }

  finish() {
    this.done(this.overrides);
    this.shown.close();
  }
}
