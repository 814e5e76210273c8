// What else can be seen of a blend: other methods, the network's view, a model's scores.

import { button, emptyState, errorState, scoreBar, skeleton, stateMark } from "./components.js";
import { el, fill } from "./core.js";

const MOST_CLASSES = 100;
const WORDS = { 1: "positive", 0: "unknown", "-1": "negative" };

/** A panel that asks the server once for each blend. */
class AskingPanel {
  constructor(context) {
    this.context = context;
    this.node = el("div", { class: "lm-blend-panel" });
    this.key = null;
    this.asked = 0;
  }

  render(blend) {
    if (!blend?.ids.length) {
      this.key = null;
      fill(this.node, emptyState({ title: "No blend yet", body: "Draw one, or choose images." }));
      return;
    }
    const key = `${this.keyOf(blend)}`;
    if (key === this.key) return;
    this.key = key;
    this.load(blend);
  }

  keyOf(blend) {
    return `${blend.ids.join()}|${blend.seq}|${blend.with_pseudo}`;
  }

  async load(blend) {
    const ticket = (this.asked += 1);
    if (!this.node.childElementCount) fill(this.node, skeleton("120px"), skeleton("240px"));
    try {
      const answer = await this.context.api.get(this.path, this.query(blend));
      if (ticket === this.asked) fill(this.node, this.draw(answer, blend));
    } catch (error) {
      if (ticket !== this.asked) return;
      this.key = null;
      fill(this.node, errorState(error, () => this.render(blend)));
    }
  }
}

// other methods ------------------------------------------------------------

class MethodsPanel extends AskingPanel {
  path = "/api/blend/methods";
  seed = 526;

  query(blend) {
    return { ids: blend.ids.join(","), seed: blend.seed ?? this.seed };
  }

  draw({ methods, has_truth: hasTruth }, blend) {
    const note = hasTruth
      ? "Wrong negatives are marked: the complete labels are known here. A wrong negative tells the network that what it sees is not there."
      : "Only LogicMix calls a class negative because every source was checked. Where the complete labels are known (demo, trials), wrong negatives are marked.";
    const left = methods[0].rows.length - MOST_CLASSES;
    const rest = left > 0 ? el("p", { class: "lm-blend-note" }, `The ${MOST_CLASSES} classes of which most is said; ${left} more are in the counts.`) : null;
    return [el("p", { class: "lm-blend-note" }, note), rest, el("div", { class: "lm-methods-scroll", tabindex: "0", role: "region", "aria-label": "Methods side by side" }, this.table(methods, blend, hasTruth))];
  }

  table(methods, blend, hasTruth) {
    const heads = methods.map((method) => this.head(method, blend, hasTruth));
    const order = this.order(methods).slice(0, MOST_CLASSES);
    const rows = order.map((i) => el("tr", {}, el("th", { scope: "row" }, methods[0].rows[i].class), methods.map((method) => this.cell(method.rows[i]))));
    return el("table", { class: "lm-methods" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "lm-sr" }, "Class")), heads)), el("tbody", {}, rows));
  }

  /** Classes in which the methods say something first; the silent ones last. */
  order(methods) {
    const weight = (i) => methods.reduce((sum, method) => sum + (method.rows[i].wrong ? 100 : 0) + (method.rows[i].state === 1 ? 10 : 0), 0) + (methods[0].rows[i].state !== 0 ? 1 : 0);
    return methods[0].rows.map((_, i) => i).sort((a, b) => weight(b) - weight(a) || a - b);
  }

  head(method, blend, hasTruth) {
    const query = new URLSearchParams({ ids: blend.ids.join(","), size: 224, method: method.name, seed: blend.seed ?? this.seed });
    const { counts } = method;
    const wrong = hasTruth ? el("span", { class: counts.wrong ? "lm-methods-wrong" : "lm-methods-right" }, counts.wrong ? `✗ ${counts.wrong} wrong ${counts.wrong === 1 ? "negative" : "negatives"}` : "✓ no wrong negative") : null;
    return el(
      "th",
      { scope: "col", class: method.name === "logicmix" ? "is-ours" : "" },
      el("img", { src: `/api/blend/image?${query}`, alt: `What ${method.title} makes of the sources`, width: 98, height: 98 }),
      el("span", { class: "lm-methods-title" }, method.title),
      el("span", { class: "lm-methods-words" }, method.words),
      el("span", { class: "lm-methods-counts" }, ["positive", "negative", "unknown"].map((state) => el("span", { class: "lm-methods-count", title: state }, stateMark(state), counts[state], el("span", { class: "lm-sr" }, ` ${state} `)))),
      wrong,
    );
  }

  cell(row) {
    const soft = row.value !== null && row.value > 0 && row.value < 1;
    const number = soft ? (row.value < 0.005 ? "< 0.01" : row.value.toFixed(2)) : "";
    const words = soft ? " positive" : WORDS[row.state];
    const shown = soft ? el("span", { class: "lm-methods-soft" }, number) : stateMark(row.state);
    const wrong = row.wrong ? el("span", { class: "lm-methods-flag", title: "wrong: the class is in the picture" }, "✗", el("span", { class: "lm-sr" }, " wrong")) : null;
    return el("td", { class: [row.wrong && "is-wrong", `is-${WORDS[row.state]}`] }, shown, el("span", { class: "lm-sr" }, words), wrong);
  }
}

// the network's view -------------------------------------------------------

class NetworkPanel extends AskingPanel {
  path = "/api/blend/augmentation";
  seed = 1;

  keyOf(blend) {
    return `${blend.ids.join()}|${this.seed}`;
  }

  query(blend) {
    return { ids: blend.ids.join(","), seed: this.seed };
  }

  draw(answer, blend) {
    const { size, sources, settings } = answer;
    const again = button("Augment anew", { icon: "redo", onclick: () => this.again(blend) });
    const url = (extra) => `/api/blend/image?${new URLSearchParams({ ids: blend.ids.join(","), size, ...extra })}`;
    const note = `Each source is augmented by itself before mixing: mirrored with probability ${settings.flip_probability}, then ${settings.num_operations} RandAugment operations of strength ${settings.magnitude}, at ${size} × ${size} pixels (${settings.resize}). Nothing is done after mixing.`;
    return [
      el("div", { class: "lm-network-bar" }, el("p", { class: "lm-blend-note" }, note), again),
      el(
        "div",
        { class: "lm-network" },
        this.pair("Blend", url({}), url({ augment: this.seed }), "the mean of the augmented sources", "is-blend"),
        sources.map((source, i) => this.pair(`Image ${i + 1}`, url({ only: i }), url({ only: i, augment: this.seed }), source.words)),
      ),
    ];
  }

  pair(title, before, after, words, className = "") {
    const missing = (event) => event.target.replaceWith(el("p", { class: "lm-network-missing", role: "alert" }, "This picture could not be drawn."));
    const image = (src, label) => el("figure", {}, el("img", { src, alt: `${title} ${label}`, width: 150, height: 150, onerror: missing }), el("figcaption", {}, label));
    return el("div", { class: `lm-network-pair ${className}` }, el("h4", {}, title), el("div", { class: "lm-network-images" }, image(before, "before"), image(after, "after")), el("p", {}, words));
  }

  again(blend) {
    this.seed += 1;
    this.key = null;
    this.render(blend);
  }
}

// a model's scores ---------------------------------------------------------

class ScoresPanel extends AskingPanel {
  path = "/api/blend/scores";

  keyOf(blend) {
    return `${super.keyOf(blend)}|${blend.run}`;
  }

  query(blend) {
    return { ids: blend.ids.join(",") };
  }

  draw(answer, blend) {
    if (!answer.available) {
      const train = el("a", { class: "lm-button", href: "#/train" }, "To the training room");
      return emptyState({ title: answer.title, body: answer.why, action: train, drawing: "spark" });
    }
    const note = `The model of run ${answer.run}, ${answer.is_calibrated ? "calibrated" : "not calibrated"}. A blend is no photograph: the network learns from it, but is never asked about one.`;
    const order = answer.blend.map((_, i) => i).sort((a, b) => answer.blend[b] - answer.blend[a]).slice(0, MOST_CLASSES);
    const heads = blend.sources.map((_, i) => el("th", { scope: "col" }, `Image ${i + 1}`));
    const rows = order.map((i) => this.row(answer, blend.rows[i], i));
    const table = el("table", { class: "lm-scores" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Class"), el("th", { scope: "col" }, "Blend"), heads, el("th", { scope: "col" }, "Label"))), el("tbody", {}, rows));
    return [el("p", { class: "lm-blend-note" }, note), el("div", { class: "lm-scores-scroll" }, table)];
  }

  row(answer, row, i) {
    const sources = answer.sources.map((scores) => el("td", {}, scoreBar(scores[i])));
    const label = el("td", { class: "lm-scores-label" }, stateMark(row.result), ` ${WORDS[row.result]}`);
    return el("tr", {}, el("th", { scope: "row", title: row.class }, row.class), el("td", { class: "is-blend" }, scoreBar(answer.blend[i])), sources, label);
  }
}

export const methodsPanel = (context) => new MethodsPanel(context);
export const networkPanel = (context) => new NetworkPanel(context);
export const scoresPanel = (context) => new ScoresPanel(context);
