// Choose the sources of a blend: by name, by class, by state.

import { button, dialog, emptyState, errorState } from "./components.js";
import { debounce, el, fill } from "./core.js";

const PAGE = 60;

class Picker {
  constructor(context, { chosen, most }, done) {
    this.context = context;
    this.most = most;
    this.chosen = [...chosen];
    this.done = done;
    this.offset = 0;
    this.answer = null;
    this.asked = 0;
    this.build();
  }

  build() {
    const classes = this.context.session.classNames ?? [];
    this.text = el("input", { type: "search", class: "lm-input", placeholder: "Part of the file name", "aria-label": "Part of the file name" });
    this.className = el("select", { class: "lm-input", "aria-label": "Class" }, el("option", { value: "" }, "any class"), classes.map((name) => el("option", { value: name }, name)));
    this.state = el(
      "select",
      { class: "lm-input", "aria-label": "State of this class" },
      [["", "any state"], ["positive", "● positive"], ["negative", "○ negative"], ["unknown", "· unknown"], ["pseudo", "◐ pseudo-label"]].map(([value, label]) => el("option", { value }, label)),
    );
    this.text.addEventListener("input", debounce(() => this.search(), 150));
    this.className.addEventListener("change", () => this.search());
    this.state.addEventListener("change", () => this.search());
    this.grid = el("div", { class: "lm-picker-grid", role: "group", "aria-label": "Images" });
    this.found = el("p", { class: "lm-picker-found", role: "status", "aria-live": "polite" });
    this.more = button("Show more", { kind: "quiet", onclick: () => this.load() });
    this.more.hidden = true;
    this.strip = el("ol", { class: "lm-picker-strip", "aria-label": "Chosen images" });
    this.use = button("Blend them", { kind: "primary", onclick: () => this.finish() });
    const body = el("div", { class: "lm-picker" }, el("div", { class: "lm-picker-bar" }, this.text, this.className, this.state, this.found), this.grid, this.more);
    this.shown = dialog({ title: `Choose up to ${this.most} images`, body, footer: [this.strip, this.use], wide: true, onclose: () => this.done(this.answer) });
    this.showChosen();
    this.search();
    this.text.focus();
  }

  async search() {
    this.offset = 0;
    await this.load();
  }

  async load() {
    const ticket = (this.asked += 1);
    const first = this.offset === 0;
    const query = { text: this.text.value.trim(), class_name: this.className.value, state: this.state.value, offset: this.offset, limit: PAGE };
    try {
      const answer = await this.context.api.get("/api/blend/images", query);
      if (ticket !== this.asked) return;
      if (first) fill(this.grid);
      this.offset += answer.images.length;
      this.grid.append(...answer.images.map((image) => this.tile(image)));
      this.more.hidden = this.offset >= answer.total;
      this.found.textContent = `${this.context.format.plural(answer.total, "image")}`;
      if (!answer.total) fill(this.grid, emptyState({ title: "No image fits", body: "Choose another class or state.", drawing: "search" }));
    } catch (error) {
      if (ticket === this.asked) fill(this.grid, errorState(error, () => this.load()));
    }
  }

  tile(image) {
    const name = image.path.split("/").pop();
    const tile = el(
      "button",
      { type: "button", class: "lm-picker-tile", title: image.path, "aria-pressed": String(this.chosen.includes(image.id)), dataset: { id: image.id }, onclick: () => this.toggle(image.id) },
      el("img", { src: this.context.thumb(image.id, 192), alt: "", loading: "lazy", width: 120, height: 90 }),
      el("span", { class: "lm-picker-name" }, name),
      el("span", { class: "lm-picker-number", "aria-hidden": "true" }),
    );
    this.mark(tile);
    return tile;
  }

  toggle(id) {
    const at = this.chosen.indexOf(id);
    if (at >= 0) this.chosen.splice(at, 1);
    else if (this.chosen.length < this.most) this.chosen.push(id);
    else this.context.toast(`A blend has at most ${this.most} sources here. Take one out first.`, { kind: "bad" });
    for (const tile of this.grid.querySelectorAll(".lm-picker-tile")) this.mark(tile);
    this.showChosen();
  }

  mark(tile) {
    const at = this.chosen.indexOf(tile.dataset.id);
    tile.setAttribute("aria-pressed", String(at >= 0));
    tile.querySelector(".lm-picker-number").textContent = at >= 0 ? String(at + 1) : "";
  }

  showChosen() {
    const { thumb } = this.context;
    const entries = this.chosen.map((id, i) => {
      const words = `Take image ${i + 1} out`;
      return el("li", {}, el("button", { type: "button", "aria-label": words, title: words, onclick: () => this.toggle(id) }, el("img", { src: thumb(id, 96), alt: "", width: 36, height: 36 })));
    });
    fill(this.strip, entries.length ? entries : el("li", { class: "lm-picker-hint" }, "Two or more make a blend."));
    this.use.disabled = this.chosen.length === 0;
  }

  finish() {
    this.answer = this.chosen;
    this.shown.close();
  }
}

/** Resolves to the chosen ids, or null where the person thought better of it. */
export function openPicker(context, { chosen, most }) {
  return new Promise((resolve) => {
    new Picker(context, { chosen, most }, resolve);
  });
}
