// The journal, newest first: who, when, what, from which run; take an action back; what the labels were at any time.

import { newId } from "./review_outbox.js";

const PAGE = 60;
const THUMB = 96;
const WORDS = {
  stream: "Stream",
  grid: "Grid",
  audit: "Audit",
  conflicts: "Conflicts",
  bulk: "Bulk",
  browse: "Browse",
  blend: "Blend lab",
  fiftyone: "FiftyOne",
  python: "Python",
};
const KINDS = { undo: "Undone", redo: "Brought back", note: "Note", extend: "Data set extended" };

export class History {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    const { el } = this.context;
    this.bar = el("div", { class: "lm-review-bar" });
    this.list = el("ol", { class: "lm-history" });
    this.foot = el("div", { class: "lm-history-foot" });
    this.past = el("section", { class: "lm-past", "aria-label": "Labels as of a time" });
    this.reload = this.context.debounce(() => this.load(), 300);
    root.replaceChildren(el("div", { class: "lm-history-layout" }, el("div", { class: "lm-history-main" }, this.bar, this.list, this.foot), this.past));
  }

  show(params) {
    this.params = params;
    this.load();
    if (!this.past.childElementCount) this.paintPast();
  }

  labelsChanged() {
    if (!this.root.matches(":focus-within")) this.reload();
  }

  onReply() {
    if (this.desk.current === "history") this.reload();
  }

  async load() {
    await this.fetch(null);
    if (this.reply) this.paintBar();
  }

  async fetch(before) {
    const { api, toastError } = this.context;
    const { who, class: name, origin } = this.params;
    try {
      this.reply = await api.get("/api/review/history", { who, class: name, origin, before, limit: PAGE });
    } catch (error) {
      toastError(error);
      return;
    }
    const rows = this.reply.lines.map((line) => this.row(line));
    if (before === null) this.list.replaceChildren(...rows);
    else this.list.append(...rows);
    this.paintFoot();
  }

  paintBar() {
    const { el, format } = this.context;
    const pick = (label, name, options) => {
      const select = el("select", { class: "lm-select", name, "aria-label": label });
      options.forEach(([value, text]) => select.append(el("option", { value, selected: value === (this.params[name] ?? "") }, text)));
      select.addEventListener("change", () => this.desk.setParams({ [name]: select.value }));
      return el("label", { class: "lm-review-choice" }, el("span", { class: "lm-review-choice-name" }, label), select);
    };
    this.bar.replaceChildren(
      pick("Who", "who", [["", "Everybody"], ...this.reply.people.map((name) => [name, name])]),
      pick("Class", "class", [["", "All classes"], ...this.context.session.classNames.map((name) => [name, name])]),
      pick("Where", "origin", [["", "Everywhere"], ...this.reply.origins.map((name) => [name, WORDS[name] ?? name])]),
      el("span", { class: "lm-soft lm-history-total" }, `${format.plural(this.reply.total, "action")}. Nothing is ever deleted.`),
    );
  }

  paintFoot() {
    const { el, button } = this.context;
    if (!this.list.childElementCount) {
      this.foot.replaceChildren(el("p", { class: "lm-soft" }, "Nothing has been decided here yet."));
      return;
    }
    const last = this.reply.lines.at(-1);
    this.foot.replaceChildren(this.reply.more ? button("Show earlier actions", { onclick: () => this.fetch(last.seq) }) : "");
  }

  row(line) {
    const { el, format, button } = this.context;
    const meta = [line.who, format.time(line.time), WORDS[line.origin] ?? line.origin];
    if (line.run) meta.push(`run ${line.run}`);
    if (line.ms) meta.push(`${(line.ms / 1000).toFixed(1)} s`);
    const node = el(
      "li",
      { class: "lm-history-row", "data-seq": String(line.seq), "data-undone": String(line.undone) },
      el("span", { class: "lm-history-seq" }, String(line.seq)),
      el(
        "div",
        { class: "lm-history-body" },
        el("p", { class: "lm-history-what" }, ...this.what(line)),
        el("p", { class: "lm-history-meta" }, meta.join(" · "), line.undone ? el("span", { class: "lm-tag" }, "undone") : ""),
        line.override ? el("p", { class: "lm-history-meta" }, `Accepted without an audit: “${line.override}”`) : "",
      ),
      this.pictures(line),
      line.can_revert ? button("Revert this", { onclick: () => this.revert(line) }) : el("span"),
    );
    return node;
  }

  what(line) {
    const { el, stateChip, format } = this.context;
    if (line.kind === "undo" || line.kind === "redo") {
      return [`${KINDS[line.kind]}: action ${line.of}`, line.count > 1 ? `, ${format.number(line.count)} cells` : ""];
    }
    if (!line.count) return [line.note || KINDS[line.kind] || line.kind];
    if (line.count === 1) {
      const [cell] = line.cells;
      const answer = { unsure: "unsure", skip: "skipped" }[cell.answer];
      return [el("b", {}, cell.class), " ", answer ? el("span", {}, answer) : stateChip(cell.after), this.before(cell)];
    }
    const parts = Object.entries(line.summary).map(([state, count]) => `${format.number(count)} ${state}`);
    const names = [...new Set(line.cells.map((cell) => cell.class))];
    return [el("b", {}, `${format.number(line.count)} cells`), ` of ${names.slice(0, 3).join(", ")}${names.length > 3 ? " …" : ""}: ${parts.join(", ")}`];
  }

  before(cell) {
    if (cell.before === 0 || cell.answer === "unsure" || cell.answer === "skip") return "";
    return cell.before === cell.after ? " (kept)" : ` (was ${cell.before > 0 ? "positive" : "negative"})`;
  }

  pictures(line) {
    const { el, thumb } = this.context;
    const images = line.cells.filter((cell) => cell.image).slice(0, 4);
    return el("span", { class: "lm-history-pictures" }, images.map((cell) => el("img", { src: thumb(cell.image, THUMB), alt: cell.path, title: cell.path, loading: "lazy", width: "40", height: "40" })));
  }

  async revert(line) {
    const { api, toast, toastError, format } = this.context;
    try {
      const reply = await api.post("/api/review/undo", { id: newId(), of: line.seq });
      const kept = reply.kept.length ? `; ${format.plural(reply.kept.length, "cell")} changed later stay as they are` : "";
      toast(`Action ${line.seq} was reverted${kept}`, { kind: "good" });
      this.context.bus.emit("decided", reply);
    } catch (error) {
      toastError(error);
    }
    this.load();
  }

  // then and now -------------------------------------------------------------------

  paintPast() {
    const { el } = this.context;
    const field = el("input", { type: "datetime-local", class: "lm-input", id: "lm-past-time", step: "1" });
    field.value = localTime(new Date(Date.now() - 3600 * 1000));
    this.pastResult = el("div", { class: "lm-past-result" });
    const form = el("form", { class: "lm-past-form" }, el("label", { class: "lm-field", for: "lm-past-time" }, "As of", field), el("button", { type: "submit", class: "lm-button" }, "Show"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.showPast(field.value);
    });
    this.past.replaceChildren(el("h2", { class: "lm-h" }, "The labels at any time"), form, this.pastResult);
  }

  async showPast(local) {
    const { api, el, format, toastError, stateMark } = this.context;
    let reply;
    try {
      reply = await api.get("/api/review/labels-at", { time: new Date(local).toISOString() });
    } catch (error) {
      toastError(error);
      return;
    }
    const sum = (counts) => counts.reduce((total, count) => total + count, 0);
    const rows = ["positive", "negative", "unknown"].map((state) =>
      el("tr", {}, el("th", { scope: "row" }, stateMark(state), ` ${state}`), el("td", { class: "lm-number" }, format.number(sum(reply.counts.then[state]))), el("td", { class: "lm-number" }, format.number(sum(reply.counts.now[state])))),
    );
    this.pastResult.replaceChildren(
      el("table", { class: "lm-table" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Cells"), el("th", { scope: "col" }, "Then"), el("th", { scope: "col" }, "Now"))), el("tbody", {}, rows)),
      el("p", { class: "lm-soft" }, reply.changed ? `${format.plural(reply.changed, "cell")} differ from now.` : "Nothing has changed since."),
      el(
        "ul",
        { class: "lm-plain lm-past-cells" },
        reply.cells.slice(0, 40).map((cell) => el("li", {}, stateMark(cell.then), " → ", stateMark(cell.now), ` ${cell.class} · ${cell.path}`)),
      ),
    );
  }
}

/** A time as the field of a form wants it. */
function localTime(date) {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60000);
  return shifted.toISOString().slice(0, 19);
}
