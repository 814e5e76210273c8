// The bar above a blend: how its sources are chosen, and what can be done with it.

import { button, choice } from "./components.js";
import { el } from "./core.js";

export const MOST_SOURCES = 6;

export class BlendBar {
  constructor(context, lab) {
    this.context = context;
    this.lab = lab;
    this.node = this.build();
  }

  showMode(mode) {
    this.modes.set(mode);
    this.drawControls.hidden = mode !== "draw";
    this.buildControls.hidden = mode !== "build";
  }

  showDraw(draw) {
    for (const name of ["seed", "k_min", "k_max", "probability"]) this.inputs[name].value = draw[name];
    this.inputs.blends_only.checked = draw.blends_only;
    this.probabilityValue.textContent = Number(draw.probability).toFixed(2);
  }

  build() {
    this.modes = choice({
      label: "How the sources are chosen",
      options: [
        { value: "draw", label: "Draw like the trainer" },
        { value: "build", label: "Build one" },
      ],
      value: this.lab.mode,
      onchange: (mode) => this.lab.setMode(mode),
    });
    this.drawControls = el("div", { class: "lm-blend-controls" }, ...this.drawFields());
    this.buildControls = el("div", { class: "lm-blend-controls", hidden: true }, ...this.buildFields());
    const link = button("Copy a link to this blend", { kind: "quiet", icon: "link", hidden_label: true, onclick: () => this.lab.copyLink() });
    const save = button("Save as PNG with its label table", { kind: "quiet", icon: "download", hidden_label: true, onclick: () => this.lab.save() });
    return el("header", { class: "lm-blend-bar" }, this.modes, this.drawControls, this.buildControls, el("span", { class: "lm-blend-gap" }), link, save);
  }

  drawFields() {
    const number = (name, label, min, max) => {
      const input = el("input", { type: "number", class: "lm-input lm-blend-number", min, max, step: 1, value: this.lab.draw[name], "aria-label": label });
      input.addEventListener("change", () => this.lab.setDraw(name, Math.round(Number(input.value)), min, max));
      return input;
    };
    this.inputs = { seed: number("seed", "seed", 0, 2 ** 31 - 1), k_min: number("k_min", "fewest sources", 2, MOST_SOURCES), k_max: number("k_max", "most sources", 2, MOST_SOURCES) };
    this.inputs.probability = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: this.lab.draw.probability, class: "lm-blend-range", "aria-label": "probability of mixing" });
    this.probabilityValue = el("output", { class: "lm-blend-value" }, this.lab.draw.probability.toFixed(2));
    this.inputs.probability.addEventListener("input", () => {
      this.probabilityValue.textContent = Number(this.inputs.probability.value).toFixed(2);
    });
    this.inputs.probability.addEventListener("change", () => this.lab.setDraw("probability", Number(this.inputs.probability.value), 0, 1));
    this.inputs.blends_only = el("input", { type: "checkbox", checked: true, onchange: (event) => this.lab.setDraw("blends_only", event.target.checked) });
    const next = button("Next blend", { kind: "primary", onclick: () => this.lab.next() });
    next.append(this.context.keys.hint("blend", { name: "next", key: "n" }));
    const field = (words, ...inputs) => el("span", { class: "lm-blend-field" }, el("span", { class: "lm-blend-label" }, words), ...inputs);
    return [
      next,
      field("seed", this.inputs.seed),
      field("sources", this.inputs.k_min, el("span", { "aria-hidden": "true" }, "to"), this.inputs.k_max),
      field("probability", this.inputs.probability, this.probabilityValue),
      el("label", { class: "lm-blend-check", title: "With probability 0.5 every second draw stays an original." }, this.inputs.blends_only, "skip originals"),
    ];
  }

  buildFields() {
    const add = button("Choose images", { kind: "primary", icon: "plus", onclick: () => this.lab.pick() });
    add.append(this.context.keys.hint("blend", { name: "pick", key: "i" }));
    const clear = button("Start anew", { kind: "quiet", onclick: () => this.lab.setIds([]) });
    return [add, clear, el("span", { class: "lm-blend-label" }, "2 to 6 images; one alone shows its own labels")];
  }
}
