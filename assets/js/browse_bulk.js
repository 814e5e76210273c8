// The bar that appears when images are selected: one class, one state, for all of them.

import { el, fill, format } from "./core.js";
import { button, confirm, stateMark } from "./components.js";

const ASK_FROM = 500;

export class BulkBar {
  constructor(context, browser) {
    this.context = context;
    this.browser = browser;
    this.count = el("span", { role: "status" });
    this.input = el("input", { class: "lm-input", list: "lm-br-classes", placeholder: "Choose a class", "aria-label": "Class to set", autocomplete: "off" });
    const set = (state, key, word) => el("button", { type: "button", class: "lm-button", onclick: () => this.set(state, word) }, stateMark(key), word);
    this.node = el(
      "div",
      { class: "lm-br-bulk", role: "region", "aria-label": "Selected images", hidden: true },
      this.count,
      el("span", { class: "lm-soft" }, "Set"),
      this.input,
      set(1, "positive", "positive"),
      set(-1, "negative", "negative"),
      set(0, "unknown", "unknown"),
      button("Select nothing", { kind: "quiet", icon: "close", hidden_label: true, onclick: () => browser.grid.clear() }),
    );
    browser.filters.selectAll.addEventListener("click", () => browser.grid.all());
    browser.filters.fiftyone.addEventListener("click", () => browser.openFiftyOne(browser.filters.fiftyone));
    browser.grid.view = () => browser.view.view;
  }

  className() {
    const { classNames } = this.context.session;
    const typed = this.node.hidden ? "" : this.input.value.trim();
    if (typed) return classNames.includes(typed) ? typed : null;
    return this.browser.params.class ?? (classNames.length === 1 ? classNames[0] : null);
  }

  draw() {
    const { count } = this.browser.grid;
    const wasHidden = this.node.hidden;
    this.node.hidden = !count;
    if (!count) return;
    if (wasHidden) this.input.value = this.browser.params.class ?? "";
    fill(this.count, el("b", { class: "lm-number" }, format.number(count)), " selected");
  }

  async set(state, word) {
    const name = this.className();
    if (!name) {
      this.context.toast("Choose one of the classes first", { kind: "bad" });
      return this.input.focus();
    }
    const { count } = this.browser.grid;
    const isSure =
      count < ASK_FROM ||
      (await confirm({
        title: `Set “${name}” to ${word} in ${format.number(count)} images?`,
        body: "Every cell of the selection is set, also those that are known. It is one entry in the journal and one undo.",
        confirm: `Set ${format.number(count)} cells`,
      }));
    if (isSure) await this.browser.setMany(name, state);
  }
}
