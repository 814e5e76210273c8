// Thresholds solved from a target precision, what they cover, and accepting that much at once.

import { newId } from "./review_outbox.js";

const TARGETS = [0.9, 0.95, 0.97, 0.98, 0.99, 0.995];

export class ThresholdTable {
  constructor(desk) {
    this.desk = desk;
    this.context = desk.context;
    const { el } = this.context;
    this.target = 0.98;
    this.chosen = new Map();
    this.pending = new Map();
    this.search = "";
    this.node = el("section", { class: "lm-thresholds", "aria-label": "Thresholds" });
    this.save = this.context.debounce(() => this.sendThresholds(), 400);
  }

  async load() {
    const { api, toastError } = this.context;
    try {
      [this.reply, this.curve] = await Promise.all([
        api.get("/api/review/thresholds", { target: this.target }),
        api.get("/api/review/coverage"),
      ]);
    } catch (error) {
      toastError(error);
      return;
    }
    this.paint();
  }

  paint() {
    const { el, format } = this.context;
    if (this.reply.run === null) {
      this.node.replaceChildren();
      return;
    }
    const target = el("select", { class: "lm-select", "aria-label": "Target precision" });
    TARGETS.forEach((value) => target.append(el("option", { value: String(value), selected: value === this.target }, `≥ ${format.percent(value, value === 0.995 ? 1 : 0)}`)));
    target.addEventListener("change", () => {
      this.target = Number(target.value);
      this.chosen.clear();
      this.load();
    });
    const search = el("input", { class: "lm-input", type: "search", placeholder: "Find a class", "aria-label": "Find a class", value: this.search });
    search.addEventListener("input", () => {
      this.search = search.value.trim().toLowerCase();
      this.paintRows();
    });
    this.rows = el("tbody");
    this.acceptButton = el("button", { type: "button", class: "lm-button lm-button-primary", onclick: () => this.accept() }, "Accept");
    this.all = el("input", { type: "checkbox", "aria-label": "Choose all that the audits cover" });
    this.all.addEventListener("change", () => this.chooseCovered(this.all.checked));
    this.node.replaceChildren(
      el("div", { class: "lm-thresholds-head" }, el("h2", { class: "lm-h" }, "Accept many at once"), el("label", { class: "lm-inline" }, "Right in", target), search, this.acceptButton),
      el("p", { class: "lm-soft" }, `Audits of run ${this.reply.run} give each class and sign the lowest threshold whose lower bound holds (95 %, over all audits together); classes with few audits lean on the others. Moving a slider shows at once what it covers, and sets from where on a score is a pseudo-label.`),
      el(
        "div",
        { class: "lm-table-scroll", tabindex: "0", role: "region", "aria-label": "Thresholds by class" },
        el(
          "table",
          { class: "lm-table lm-thresholds-table" },
          el(
            "thead",
            {},
            el("tr", {}, el("th", { scope: "col" }, this.all), ...["Pseudo-label", "Audited", "The audits say", "Threshold", "Covers"].map((text) => el("th", { scope: "col" }, text))),
          ),
          this.rows,
        ),
      ),
    );
    this.paintRows();
  }

  paintRows() {
    const parts = this.reply.parts.filter((part) => part.claims > 0 && part.class.toLowerCase().includes(this.search));
    this.rows.replaceChildren(...parts.map((part) => this.row(part)));
    this.paintAccept();
  }

  key(part) {
    return `${part.sign} ${part.class}`;
  }

  thresholdOf(part) {
    return this.pending.get(this.key(part))?.threshold ?? part.now;
  }

  row(part) {
    const { el, format, stateMark } = this.context;
    const key = this.key(part);
    const box = el("input", { type: "checkbox", "aria-label": `Accept ${part.class} ${part.sign > 0 ? "present" : "absent"}` });
    box.checked = this.chosen.has(key);
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.set(key, part);
      else this.chosen.delete(key);
      this.paintAccept();
    });
    const covers = el("td", { class: "lm-number" });
    const number = el("output", { class: "lm-threshold-number" });
    const slider = el("input", { type: "range", min: "0", max: String(this.curve.thresholds.length - 1), step: "1", class: "lm-slider", "aria-label": `Threshold of ${part.class} ${part.sign > 0 ? "present" : "absent"}` });
    slider.value = String(this.placeOf(this.thresholdOf(part)));
    const draw = () => {
      const threshold = this.thresholdOf(part);
      number.textContent = threshold.toFixed(3);
      slider.setAttribute("aria-valuetext", `${threshold.toFixed(3)}, covers ${this.count(part, threshold)} cells`);
      covers.textContent = format.number(this.count(part, threshold));
      const holds = part.threshold !== null && threshold >= part.threshold - 1e-9;
      number.dataset.holds = String(holds);
      number.title = holds ? "The audits hold the target from here on" : "The audits do not hold the target here";
    };
    slider.addEventListener("input", () => {
      this.pending.set(key, { class_name: part.class, sign: part.sign, threshold: this.curve.thresholds[Number(slider.value)] });
      draw();
      this.paintAccept();
      this.save();
    });
    draw();
    const says = el("td", { class: part.threshold === null ? "lm-soft" : "" }, part.message);
    if (part.threshold !== null && part.threshold !== part.now) {
      says.append(" ", el("button", { type: "button", class: "lm-link", onclick: () => this.take(part, slider, draw) }, "use"));
    }
    return el(
      "tr",
      {},
      el("td", {}, box),
      el("th", { scope: "row" }, stateMark(part.sign), ` ${part.class} ${part.sign > 0 ? "present" : "absent"}`),
      el("td", { class: "lm-number" }, part.checked ? `${part.right} of ${part.checked}` : "–"),
      says,
      el("td", { class: "lm-threshold-cell" }, slider, number),
      covers,
    );
  }

  take(part, slider, draw) {
    this.pending.set(this.key(part), { class_name: part.class, sign: part.sign, threshold: part.threshold });
    slider.value = String(this.placeOf(part.threshold));
    draw();
    this.paintAccept();
    this.save();
  }

  placeOf(threshold) {
    const found = this.curve.thresholds.findIndex((value) => value >= threshold - 1e-9);
    return found < 0 ? this.curve.thresholds.length - 1 : found;
  }

  count(part, threshold) {
    const column = this.context.session.classNames.indexOf(part.class);
    const side = part.sign > 0 ? this.curve.positive : this.curve.negative;
    return side[column][this.placeOf(threshold)];
  }

  chooseCovered(isOn) {
    this.chosen.clear();
    if (isOn) {
      this.reply.parts.forEach((part) => {
        if (part.threshold === null || !part.claims) return;
        this.chosen.set(this.key(part), part);
        if (this.thresholdOf(part) < part.threshold) {
          this.pending.set(this.key(part), { class_name: part.class, sign: part.sign, threshold: part.threshold });
        }
      });
      this.save();
    }
    this.paintRows();
  }

  paintAccept() {
    const { format } = this.context;
    const total = [...this.chosen.values()].reduce((sum, part) => sum + this.count(part, this.thresholdOf(part)), 0);
    this.acceptButton.disabled = !total;
    this.acceptButton.textContent = total ? `Accept ${format.number(total)} cells …` : "Choose rows to accept";
  }

  async sendThresholds() {
    const groups = [...this.pending.values()];
    if (!groups.length) return;
    try {
      await this.context.api.post("/api/review/thresholds", { groups });
    } catch (error) {
      this.context.toastError(error);
    }
  }

  // bulk ---------------------------------------------------------------------------

  async accept() {
    const { api, toastError } = this.context;
    const groups = [...this.chosen.values()].map((part) => ({ class_name: part.class, sign: part.sign, threshold: this.thresholdOf(part) }));
    const body = { id: newId(), groups, target: this.target, expected: 0 };
    try {
      const preview = await api.post("/api/review/bulk/preview", body);
      this.ask(body, preview);
    } catch (error) {
      toastError(error);
    }
  }

  ask(body, preview) {
    const { el, format, dialog, button, stateMark } = this.context;
    const uncovered = preview.groups.filter((group) => !group.covered);
    const reason = el("textarea", { class: "lm-input", rows: "2", maxlength: "2000", id: "lm-override", placeholder: "Why shall these be accepted without an audit?" });
    const yes = button(`Accept ${format.number(preview.total)} cells`, { kind: uncovered.length ? "danger" : "primary", onclick: () => this.write(body, preview, reason.value, shown) });
    yes.disabled = uncovered.length > 0;
    reason.addEventListener("input", () => { yes.disabled = !reason.value.trim(); });
    const shown = dialog({
      title: `Accept ${format.number(preview.total)} pseudo-labels`,
      body: [
        el(
          "table",
          { class: "lm-table" },
          el("tbody", {}, preview.groups.map((group) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, stateMark(group.sign), ` ${group.class} ${group.sign > 0 ? "present" : "absent"}`),
              el("td", { class: "lm-number" }, `${format.number(group.cells)} cells`),
              el("td", {}, `from ${group.threshold.toFixed(3)}`),
              el("td", {}, group.covered ? `right in at least ${format.percent(group.lower_bound)}` : `not covered: ${group.reason}`),
            ),
          )),
        ),
        el("p", {}, "This is one line in the journal and one undo. Cells that somebody settles meanwhile are left alone; cells of open audits are left out."),
        uncovered.length ? el("div", { class: "lm-override" }, el("label", { for: "lm-override", class: "lm-field" }, `${format.plural(uncovered.length, "group")} without a sufficient audit. Your reason stands in the journal.`, reason)) : null,
      ],
      footer: [button("Cancel", { onclick: () => shown.close() }), yes],
    });
  }

  async write(body, preview, override, shown) {
    const { api, toast, toastError, format } = this.context;
    try {
      const reply = await api.post("/api/review/bulk", { ...body, expected: preview.total, override });
      shown.close();
      this.chosen.clear();
      this.desk.past.push({ id: body.id, path: "/api/review/bulk", body, label: `${reply.written} cells accepted at once`, screen: "bulk", restore: () => this.load(), replay: () => this.load() });
      toast(`${format.number(reply.written)} pseudo-labels accepted`, { kind: "good", action: { label: "Undo", run: () => this.desk.undo() } });
      this.load();
    } catch (error) {
      toastError(error);
    }
  }
}
