// Audits: draw one, answer it blind, read with what certainty the pseudo-labels are right.

import { calibrationPlot } from "./review_plot.js";
import { AuditRun } from "./review_audit_run.js";
import { newId } from "./review_outbox.js";
import { ThresholdTable } from "./review_thresholds.js";

const SECONDS_A_CELL = 2.5;
const LOWEST = [["0.5", "from 0.50"], ["0.7", "from 0.70"], ["0.8", "from 0.80"], ["0.9", "from 0.90"], ["0.95", "from 0.95"], ["0.98", "from 0.98"]];

export class AuditScreen {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    const { el } = this.context;
    this.list = el("div", { class: "lm-audit-list" });
    this.form = el("form", { class: "lm-audit-form" });
    this.detail = el("div", { class: "lm-audit-detail" });
    this.care = el("div", { class: "lm-audit-care" });
    this.thresholds = new ThresholdTable(desk);
    this.home = el(
      "div",
      { class: "lm-audit-home" },
      el("div", { class: "lm-audit-side" }, el("h2", { class: "lm-h" }, "Audits"), this.form, this.list, this.care),
      el("div", { class: "lm-audit-main" }, this.detail, this.thresholds.node),
    );
    this.runPlace = el("div", { class: "lm-audit-run" });
    this.run = new AuditRun(desk, this.runPlace, () => this.leaveRun());
    root.replaceChildren(this.home, this.runPlace);
    this.settings = { choice: "", class: "", per_stratum: 30, lowest: "0.9", by_class: false };
  }

  async show(params) {
    this.params = params;
    const isRun = Boolean(params.audit && params.go);
    this.home.hidden = isRun;
    this.runPlace.hidden = !isRun;
    if (isRun) await this.run.open(Number(params.audit));
    else await this.load();
  }

  hide() {
    this.run.close();
  }

  act(name) {
    if (!this.runPlace.hidden) this.run.act(name);
  }

  onReply(entry) {
    if (entry.path.startsWith("/api/review/audits")) this.run.onReply();
  }

  runChanged() {
    if (this.desk.current === "audit" && !this.home.hidden) this.load();
  }

  restart() {
    this.load();
  }

  leaveRun() {
    this.desk.setParams({ screen: "audit", go: "", audit: String(this.run.number) });
  }

  async load() {
    const { api, toastError } = this.context;
    try {
      [this.all, this.careReply] = await Promise.all([api.get("/api/review/audits"), api.get("/api/review/care")]);
    } catch (error) {
      toastError(error);
      return;
    }
    this.paintForm();
    this.paintList();
    this.paintCare();
    await Promise.all([this.paintDetail(), this.thresholds.load()]);
  }

  // starting ---------------------------------------------------------------------

  sizeOf() {
    const { class: name, per_stratum: perStratum, lowest, by_class: byClass } = this.settings;
    let total = 0;
    this.all.bands.forEach((band) => {
      if (band.high <= Number(lowest)) return;
      const counts = Object.entries(band.classes).filter(([key]) => !name || key === name).map(([, count]) => count);
      const strata = byClass ? counts : [counts.reduce((sum, count) => sum + count, 0)];
      strata.forEach((count) => { total += Math.min(count, perStratum); });
    });
    return total;
  }

  paintForm() {
    const { el, format } = this.context;
    if (this.all.run === null) {
      this.form.replaceChildren(el("p", { class: "lm-soft" }, "An audit checks a run. Train once, then come back."));
      return;
    }
    const names = this.context.session.classNames;
    const pick = (label, name, options) => {
      const select = el("select", { class: "lm-select", "aria-label": label });
      const current = name === "class" ? this.settings.choice : String(this.settings[name]);
      options.forEach(([value, text]) => select.append(el("option", { value, selected: value === current }, text)));
      select.addEventListener("change", () => this.change(name, select.value));
      return el("label", { class: "lm-field" }, label, select);
    };
    const size = this.sizeOf();
    const known = 10;
    const minutes = ((size + known) * SECONDS_A_CELL);
    this.form.replaceChildren(
      pick("Classes", "class", [["", "All together"], ["*", "Each on its own"], ...names.map((name) => [name, name])]),
      pick("Confidence", "lowest", LOWEST),
      pick("Cells a band and sign", "per_stratum", [["10", "10"], ["20", "20"], ["30", "30"], ["60", "60"], ["100", "100"], ["200", "200"]]),
      el("p", { class: "lm-soft" }, size ? `${format.number(size)} cells and ${known} known ones, about ${format.duration(minutes)}. The number is fixed now; you will see neither scores nor pseudo-labels.` : "No open pseudo-label fits."),
      el("button", { type: "submit", class: "lm-button lm-button-primary", disabled: !size }, "Start an audit"),
    );
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.start();
    };
  }

  change(name, value) {
    if (name === "class") {
      this.settings.by_class = value === "*";
      this.settings.class = value === "*" ? "" : value;
      this.settings.choice = value;
    } else this.settings[name] = name === "per_stratum" ? Number(value) : value;
    this.paintForm();
  }

  async start() {
    const { api, toastError } = this.context;
    const { class: name, by_class: byClass, per_stratum: perStratum, lowest } = this.settings;
    const body = {
      id: newId(),
      class_names: name ? [name] : [],
      by_class: byClass,
      per_stratum: perStratum,
      lowest_confidence: Number(lowest),
    };
    try {
      const made = await api.post("/api/review/audits", body);
      this.desk.setParams({ screen: "audit", audit: String(made.number), go: "1" });
    } catch (error) {
      toastError(error);
    }
  }

  // what was found -----------------------------------------------------------------

  paintList() {
    const { el, format } = this.context;
    if (!this.all.audits.length) {
      this.list.replaceChildren(el("p", { class: "lm-soft" }, "No audit yet. Until one is done, nobody knows how right the pseudo-labels are."));
      return;
    }
    this.list.replaceChildren(
      ...this.all.audits.map((audit) => {
        const isOld = audit.run !== this.all.run;
        const what = audit.class_names.length === 1 ? audit.class_names[0] : `${audit.class_names.length} classes`;
        const status = audit.complete ? "complete" : audit.given_up ? "given up" : `${audit.answered} of ${audit.total}`;
        return el(
          "button",
          {
            type: "button",
            class: "lm-audit-card",
            "aria-current": String(audit.number) === this.params.audit ? "true" : null,
            onclick: () => this.desk.setParams({ audit: String(audit.number), go: "" }),
          },
          el("span", { class: "lm-audit-card-title" }, `Audit ${audit.number} · ${what}`),
          el("span", { class: "lm-audit-card-status" }, status),
          el("span", { class: "lm-audit-card-sub" }, `run ${audit.run}${isOld ? " (an earlier run)" : ""} · ${audit.who} · ${format.time(audit.time)}`),
        );
      }),
    );
  }

  async paintDetail() {
    const { el, api, format, toastError } = this.context;
    const number = Number(this.params.audit);
    if (!number || !this.all.audits.some((audit) => audit.number === number)) {
      this.detail.replaceChildren();
      return;
    }
    let result;
    try {
      result = await api.get(`/api/review/audits/${number}`);
    } catch (error) {
      toastError(error);
      return;
    }
    const isOpen = !result.complete && !result.given_up;
    const go = el("button", { type: "button", class: "lm-button lm-button-primary", onclick: () => this.desk.setParams({ audit: String(number), go: "1" }) }, result.answered ? "Go on answering" : "Begin");
    const giveUp = el("button", { type: "button", class: "lm-button", onclick: () => this.giveUp(number) }, "Give up");
    const known = result.known_checked ? `${result.known_right} of ${result.known_checked} planted known cells answered as known.` : "";
    this.detail.replaceChildren(
      el("div", { class: "lm-audit-detail-head" }, el("h2", { class: "lm-h" }, `Audit ${number}: ${result.answered} of ${result.total} answered`), isOpen ? go : "", isOpen ? giveUp : ""),
      el("p", { class: "lm-soft" }, this.boundWords(result, isOpen), " ", known),
      isOpen ? "" : this.strataTable(result, format),
    );
  }

  boundWords(result, isOpen) {
    if (isOpen) return "What it says is shown when the last cell is answered. The number was fixed beforehand, so nobody stops where it looks good.";
    if (result.complete) return "All planned cells are answered: the bounds are exact (Clopper–Pearson), as the number was fixed beforehand.";
    return "Stopped early: where cells are missing, the bounds are sequential, wider, and valid wherever one stops.";
  }

  strataTable(result, format) {
    const { el, stateMark } = this.context;
    const rows = result.strata.filter((part) => part.planned > 0).sort((one, other) => other.sign - one.sign || other.low - one.low || one.class.localeCompare(other.class));
    return el(
      "table",
      { class: "lm-table" },
      el("thead", {}, el("tr", {}, ...["Pseudo-label", "Confidence", "Right", "Precision", "At least (95 %)", "Interval", "Open cells"].map((text) => el("th", { scope: "col" }, text)))),
      el(
        "tbody",
        {},
        rows.map((part) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, stateMark(part.sign), ` ${part.class || "all classes"} ${part.sign > 0 ? "present" : "absent"}`),
            el("td", {}, `${part.low.toFixed(2)}–${part.high.toFixed(2)}`),
            el("td", {}, part.checked ? `${part.right} of ${part.checked}${part.unsure ? ` (${part.unsure} unsure)` : ""}` : "–"),
            el("td", {}, part.checked ? format.percent(part.precision) : "–"),
            el("td", { class: "lm-strong" }, part.checked ? format.percent(part.lower_bound) : "–"),
            el("td", {}, part.checked ? intervalBar(el, part, format) : "–"),
            el("td", {}, format.number(part.population)),
          ),
        ),
      ),
    );
  }

  async giveUp(number) {
    const isSure = await this.context.confirm({
      title: `Give up audit ${number}?`,
      body: "Its answers count from now on, at wider bounds that allow for stopping early. The cells that were not answered go back to the queues.",
      confirm: "Give up",
    });
    if (!isSure) return;
    try {
      await this.context.api.post(`/api/review/audits/${number}/give-up`, {});
    } catch (error) {
      this.context.toastError(error);
    }
    this.load();
  }

  paintCare() {
    const { el, button } = this.context;
    const people = this.careReply.people;
    this.care.replaceChildren(
      el("h3", { class: "lm-h3" }, "Looking closely"),
      people.length
        ? el("ul", { class: "lm-plain" }, people.map((person) => el("li", {}, el("b", {}, person.who), ` ${person.message}`)))
        : el("p", { class: "lm-soft" }, "Now and then a wrong pseudo-label is planted in Stream and Grid. How many are noticed will stand here."),
      button("Calibration plot", { onclick: () => this.openPlot() }),
    );
  }

  async openPlot() {
    const { api, dialog, toastError } = this.context;
    try {
      const reply = await api.get("/api/review/calibration");
      dialog({ title: "Do the scores mean what they say?", body: calibrationPlot(this.context, reply) });
    } catch (error) {
      toastError(error);
    }
  }
}

/** An interval as a bar from 0.5 to 1, with its words for those who cannot see it. */
export function intervalBar(el, part, format) {
  const [low, high] = part.interval;
  const place = (value) => `${Math.max(0, (value - 0.5) * 200)}%`;
  const spoken = `${format.percent(low)} to ${format.percent(high)}`;
  return el(
    "span",
    { class: "lm-interval", role: "img", "aria-label": spoken, title: spoken },
    el("span", { class: "lm-interval-range", style: { left: place(low), right: `calc(100% - ${place(high)})` } }),
    el("span", { class: "lm-interval-point", style: { left: place(part.precision) } }),
  );
}
