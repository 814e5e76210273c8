// The Review tab: its screens, its keys, what is not sent yet, undo and redo.

import { AuditScreen } from "./review_audit.js";
import { Conflicts } from "./review_conflicts.js";
import { Grid } from "./review_grid.js";
import { History } from "./review_history.js";
import { Outbox, newId } from "./review_outbox.js";
import { Stream } from "./review_stream.js";
import { WhatIf } from "./review_whatif.js";
import { openHelp } from "./settings.js";

const SCREENS = [
  ["stream", "Stream", Stream],
  ["grid", "Grid", Grid],
  ["audit", "Audit", AuditScreen],
  ["conflicts", "Conflicts", Conflicts],
  ["history", "History", History],
  ["what-if", "What if", WhatIf],
];

const KEYS = [
  ["yes", "y", "Yes, the class is there"],
  ["no", "n", "No, it is not there (grid: mark the tile)"],
  ["accept", "a", "Accept the pseudo-label (conflicts: change)"],
  ["reject", "r", "Reject the pseudo-label (grid: mark the tile)"],
  ["unsure", "u", "Unsure: out of this run's queue"],
  ["skip", "s", "Stream: skip for now"],
  ["undo", "z", "Undo"],
  ["redo", "x", "Redo"],
  ["zoom", "e", "Enlarge the picture"],
  ["next", "c", "Stream and grid: next class"],
  ["score", "p", "Stream: pseudo-label hidden, shown, with score"],
  ["confirm", "k", "Grid: confirm the rest · conflicts: keep"],
  ["forward", ".", "Grid: next page"],
  ["back", ",", "Grid: page before"],
  ["left", "ArrowLeft", "Grid: one tile left"],
  ["right", "ArrowRight", "Grid: one tile right"],
  ["up", "ArrowUp", "Grid: one row up"],
  ["down", "ArrowDown", "Grid: one row down"],
  ["help", "h", "Help"],
];

const REPEATED = new Set(["left", "right", "up", "down"]);
const WINDOW_KEY = "lm-review-window";
const MOST_UNDO = 500;

class Desk {
  constructor(root, context) {
    this.context = context;
    this.root = root;
    this.splits = context.session.splits ?? [];
    this.holder = windowId();
    this.past = [];
    this.undone = [];
    this.screens = new Map();
    this.current = null;
    this.hints = [];
    this.outbox = new Outbox({
      post: (path, body) => context.api.post(path, body),
      name: context.session.root ?? context.session.name,
    });
    this.build();
    this.registerKeys();
    this.listen();
    this.outbox.start();
  }

  build() {
    const { el, icon } = this.context;
    this.nav = el("nav", { class: "lm-review-nav", "aria-label": "Review screens" });
    SCREENS.forEach(([name, title]) => {
      this.nav.append(
        el("button", { type: "button", class: "lm-review-nav-item", "data-screen": name, onclick: () => this.setParams({ screen: name }) }, title),
      );
    });
    this.pill = el("button", { type: "button", class: "lm-outbox", "data-kind": "saved", onclick: () => this.pressPill() });
    this.pillText = el("span", { role: "status", "aria-live": "polite" });
    this.pill.append(el("span", { class: "lm-outbox-mark", "aria-hidden": "true" }), this.pillText);
    const tools = el(
      "div",
      { class: "lm-review-tools" },
      this.pill,
      this.toolButton("undo", "Undo", icon("undo")),
      this.toolButton("redo", "Redo", icon("redo")),
    );
    this.body = el("div", { class: "lm-review-body" });
    this.root.classList.add("lm-review");
    this.root.replaceChildren(el("div", { class: "lm-review-head" }, this.nav, tools), this.body);
    this.paintPill();
  }

  toolButton(action, label, drawing) {
    const { el } = this.context;
    const button = el("button", { type: "button", class: "lm-button lm-button-quiet lm-tool", "aria-label": label, title: label, onclick: () => this.act(action) }, drawing);
    const hint = el("span", { class: "lm-hint" });
    button.append(hint);
    this.hints.push({ hint, action });
    this.paintHint(hint, action);
    return button;
  }

  registerKeys() {
    this.actions = KEYS.map(([name, key, description]) => ({
      name,
      key,
      description,
      repeat: REPEATED.has(name),
      run: () => this.act(name),
    }));
    this.context.keys.register("review", this.actions);
  }

  listen() {
    const { bus, toast } = this.context;
    this.outbox.onChange = () => this.paintPill();
    this.outbox.onReply = (entry, reply) => this.onReply(entry, reply);
    this.outbox.onRefused = (entry, error) => {
      const isBack = entry.path.endsWith("/undo") || entry.path.endsWith("/redo");
      toast(isBack ? error.message : `An answer was refused: ${error.message}`, { kind: isBack ? "info" : "bad", hint: error.hint });
    };
    bus.on("settings-changed", () => this.hints.forEach(({ hint, action }) => this.paintHint(hint, action)));
    bus.on("run-changed", (pulse) => this.onRun(pulse));
    bus.on("reconnected", () => this.outbox.retryNow());
    bus.on("labels-changed", () => this.screen()?.labelsChanged?.());
  }

  onRun(pulse) {
    if (this.run === pulse.current_run) return;
    this.run = pulse.current_run;
    this.screens.forEach((screen) => screen.runChanged?.());
  }

  onReply(entry, reply) {
    this.context.bus.emit("decided", reply);
    this.screens.forEach((screen) => screen.onReply?.(entry, reply));
  }

  // keys and buttons -----------------------------------------------------------

  keyOf(action) {
    const found = this.actions?.find((candidate) => candidate.name === action) ?? { name: action, key: KEYS.find(([name]) => name === action)[1] };
    return this.context.keys.name(this.context.keys.keyOf("review", found));
  }

  paintHint(hint, action) {
    hint.replaceChildren(this.context.el("kbd", { class: "lm-key", "aria-hidden": "true" }, this.keyOf(action)));
  }

  /** A button that does what a key does, with the key on it. */
  actionButton(action, label, { note = false, class: extra = "", ...attrs } = {}) {
    const { el } = this.context;
    const hint = el("span", { class: "lm-hint" });
    const text = el("span", { class: "lm-action-label" }, label);
    const button = el("button", { type: "button", class: `lm-button lm-action ${extra}`, "data-action": action, onclick: () => this.act(action), ...attrs }, text);
    if (note) {
      button.note = el("span", { class: "lm-action-note" });
      button.second = el("span", { class: "lm-hint lm-hint-second" });
      button.append(button.note);
    }
    button.append(hint);
    if (note) button.append(button.second);
    this.hints.push({ hint, action });
    this.paintHint(hint, action);
    return button;
  }

  /** Say on an answer's button what it does to the pseudo-label. */
  paintAnswer(button, action, also, spoken) {
    const words = { accept: "accepts the pseudo-label", reject: "rejects the pseudo-label" }[also] ?? "";
    if (button.note.textContent !== words) button.note.textContent = words;
    if (button.also !== also) {
      button.also = also;
      button.second.replaceChildren();
      if (also) this.paintHint(button.second, also);
    }
    button.setAttribute("aria-label", `${action === "yes" ? "Yes" : "No"}, ${spoken}${words ? `: ${words}` : ""}`);
  }

  act(name) {
    if (name === "undo") this.undo();
    else if (name === "redo") this.redo();
    else if (name === "help") openHelp(this.context, "review");
    else this.screen()?.act?.(name);
  }

  // answers ----------------------------------------------------------------------

  /** Send an answer; it can be undone whether or not it has arrived. */
  send(body, { label, restore, replay, path = "/api/review/answer" }) {
    const id = this.outbox.add(path, body);
    this.past.push({ id, path, body, label, restore, replay, screen: this.current });
    if (this.past.length > MOST_UNDO) this.past.shift();
    this.undone = [];
    return id;
  }

  undo() {
    const entry = this.past.pop();
    if (!entry) {
      this.outbox.add("/api/review/undo", {});
      return;
    }
    const dropped = this.outbox.drop(entry.id);
    if (!dropped) this.outbox.add("/api/review/undo", { target: entry.id });
    this.undone.push({ entry, dropped });
    entry.restore?.();
    if (entry.screen !== this.current) this.context.toast(`Undone: ${entry.label}`);
  }

  redo() {
    const last = this.undone.pop();
    if (!last) {
      this.outbox.add("/api/review/redo", {});
      return;
    }
    const { entry, dropped } = last;
    if (dropped) entry.id = this.outbox.add(entry.path, entry.body);
    else this.outbox.add("/api/review/redo", { target: entry.id });
    this.past.push(entry);
    entry.replay?.();
  }

  /** "image class" of the cells whose answers are still on their way. */
  unsentCells() {
    const cells = new Set();
    this.outbox.entries.forEach((entry) => {
      if (entry.path !== "/api/review/answer") return;
      entry.body.cells.forEach(([image, name]) => cells.add(`${image} ${name}`));
    });
    return cells;
  }

  /** Give leased cells back; nobody waits for the answer. */
  release(cells, holder = this.holder) {
    if (!cells.length) return;
    this.context.api.post("/api/review/release", { holder, cells }).catch((error) => console.warn("leases end by themselves", error));
  }

  /** The window closes or reloads: nobody shall wait for what it had on screen. */
  leave() {
    const token = document.querySelector('meta[name="lm-token"]')?.content ?? "";
    const headers = { "content-type": "application/json", "x-logicmix-token": token };
    ["", ":grid", ":conflicts"].forEach((screen) => {
      const body = JSON.stringify({ holder: `${this.holder}${screen}`, everything: true });
      fetch("/api/review/release", { method: "POST", headers, body, keepalive: true }).catch(() => {}); // leases end by themselves
    });
  }

  paintPill() {
    const { kind, text } = this.outbox.describe();
    this.pill.dataset.kind = kind;
    if (this.pillText.textContent !== text) this.pillText.textContent = text;
    const problem = this.outbox.problem;
    this.pill.title = problem ? `${problem.message} ${problem.hint ?? ""}`.trim() : "Answers are kept in this browser until the studio has them on disk";
  }

  pressPill() {
    if (this.outbox.state === "locked") location.reload();
    else this.outbox.retryNow();
  }

  // screens ----------------------------------------------------------------------

  screen() {
    return this.screens.get(this.current);
  }

  setParams(changes) {
    const { params } = this.context.address.get();
    this.context.address.set("review", { ...params, ...changes }, { replace: !("screen" in changes) });
  }

  /** Take the next step that an empty state offers. */
  async follow(step) {
    if (step.tab) this.context.address.set(step.tab, {});
    else if (step.set) this.setParams(step.set);
    else if (step.act === "take-again") {
      await this.context.api.post("/api/review/take-again", {});
      this.screen()?.restart?.();
    } else this.screen()?.restart?.();
  }

  show(params) {
    const name = SCREENS.some(([key]) => key === params.screen) ? params.screen : "stream";
    if (name !== this.current) {
      this.screen()?.hide?.();
      this.current = name;
      this.root.dataset.screen = name;
      this.nav.querySelectorAll("[data-screen]").forEach((button) => {
        const isCurrent = button.dataset.screen === name;
        if (isCurrent) button.setAttribute("aria-current", "page");
        else button.removeAttribute("aria-current");
      });
      this.body.replaceChildren(this.place(name));
    }
    this.fit();
    this.screen().show(params);
  }

  place(name) {
    if (!this.screens.has(name)) {
      const [, , Screen] = SCREENS.find(([key]) => key === name);
      const root = this.context.el("section", { class: `lm-screen lm-screen-${name}`, "aria-label": name });
      const screen = new Screen(this, root);
      screen.root = root;
      this.screens.set(name, screen);
    }
    return this.screens.get(name).root;
  }

  /** The stream fills what the window leaves below the tabs. */
  fit() {
    const top = this.body.getBoundingClientRect().top + window.scrollY;
    this.root.style.setProperty("--lm-review-top", `${Math.round(top)}px`);
  }

  hide() {
    this.screen()?.hide?.();
  }
}

/** An id of this window that a reload keeps. */
function windowId() {
  const known = sessionStorage.getItem(WINDOW_KEY);
  if (known) return known;
  const made = newId();
  sessionStorage.setItem(WINDOW_KEY, made);
  return made;
}

export function mount(root, context) {
  const desk = new Desk(root, context);
  desk.run = context.session.pulse?.current_run;
  window.addEventListener("resize", () => desk.fit());
  window.addEventListener("pagehide", () => desk.leave());
  return { show: (params) => desk.show(params), hide: () => desk.hide() };
}
