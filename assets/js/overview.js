// Overview: what the data set lacks, how it goes, and what to do next.

import { el, fill, format } from "./core.js";
import { button, emptyState, errorState, icon, skeleton, stateMark } from "./components.js";
import { classTable } from "./overview_classes.js";
import { heatMap } from "./overview_together.js";
import { knownCurve, paceLine, roundLine } from "./overview_history.js";

const QUIET_MS = 300;

export function mount(root, context) {
  const { api, bus } = context;
  const parts = {
    summary: el("section", { class: "lm-card lm-ov-summary", "aria-label": "All cells" }, skeleton("96px")),
    step: el("section", { class: "lm-card lm-ov-step", "aria-label": "Next step" }, skeleton("96px")),
    classes: classTable(context),
    curve: el("div", {}, skeleton("150px")),
    pace: el("div", { class: "lm-ov-pace" }),
    rounds: el("div", {}, skeleton("80px")),
    together: heatMap(context),
  };
  const page = el(
    "div",
    { class: "lm-page lm-ov" },
    el("h1", { class: "lm-sr" }, "Overview"),
    el("div", { class: "lm-ov-top" }, parts.summary, parts.step),
    el(
      "div",
      { class: "lm-ov-columns" },
      el("div", { class: "lm-ov-main" }, parts.classes.node, parts.together.node),
      el(
        "div",
        { class: "lm-ov-side" },
        card("Known proportion over time", parts.curve, parts.pace),
        card("Rounds", parts.rounds),
      ),
    ),
  );
  const whole = el("div", {}, page);
  root.append(whole);

  let isStale = true;
  let isVisible = false;

  async function load() {
    isStale = false;
    try {
      const facts = await api.get("/api/overview");
      if (!facts.total) return fill(whole, nothing(facts));
      if (!page.isConnected) fill(whole, page);
      drawSummary(parts.summary, facts, context);
      parts.classes.set(facts);
      paceLine(parts.pace, facts.progress);
    } catch (error) {
      isStale = true;
      return fill(whole, errorState(error, () => (fill(whole, page), load())));
    }
    loadSteps();
    loadHistory();
    parts.together.load();
  }

  async function loadSteps() {
    try {
      const { steps } = await api.get("/api/overview/steps");
      drawSteps(parts.step, steps, context);
    } catch (error) {
      fill(parts.step, errorState(error, loadSteps));
    }
  }

  async function loadHistory() {
    try {
      const [history, checked] = await Promise.all([api.get("/api/overview/history"), api.get("/api/review/audits").catch(() => ({ audits: [] }))]);
      knownCurve(parts.curve, history);
      roundLine(parts.rounds, history.rounds, checked.audits, context);
    } catch (error) {
      fill(parts.curve, errorState(error, loadHistory));
    }
  }

  const refresh = context.debounce(() => (isVisible ? load() : (isStale = true)), QUIET_MS);
  bus.on("run-changed", () => {
    if (!isVisible || isStale) return;
    loadSteps();
    loadHistory();
  });
  for (const event of ["labels-changed", "scores-changed", "settings-changed", "reconnected"]) {
    bus.on(event, () => {
      isStale = true;
      if (isVisible) refresh();
    });
  }
  return {
    show(params) {
      isVisible = true;
      parts.classes.show(params);
      if (isStale) load();
    },
    hide() {
      isVisible = false;
    },
  };
}

function card(title, ...body) {
  return el("section", { class: "lm-card", "aria-label": title }, el("div", { class: "lm-card-head" }, el("h2", {}, title)), el("div", { class: "lm-card-body" }, body));
}

function nothing(facts) {
  if (!facts.num_images) {
    return emptyState({ title: "There are no images here", body: "Put images into the folder and import them: logicmix-studio import FOLDER" });
  }
  return emptyState({ title: "There are no classes yet", body: "Import again with their names: logicmix-studio import FOLDER --classes cat,dog" });
}

// the bar of all cells ---------------------------------------------------------------------------------------------

function drawSummary(place, facts, context) {
  const pseudo = facts.pseudo_positive + facts.pseudo_negative;
  const share = (count) => format.percent(count / facts.total);
  const part = (key, word, count, detail) =>
    el("li", {}, stateMark(key), el("span", {}, el("b", { class: "lm-number" }, format.number(count)), ` ${word}`), el("small", { class: "lm-soft" }, detail ?? share(count)));
  fill(
    place,
    el(
      "div",
      { class: "lm-ov-headline" },
      el("p", { class: "lm-ov-big" }, el("span", { class: "lm-number" }, share(facts.known)), el("small", {}, "of all cells are known")),
      el("p", { class: "lm-soft" }, `${format.plural(facts.num_images, "image")} × ${format.plural(facts.classes.name.length, "class", "classes")}`, facts.num_test ? ` · ${format.plural(facts.num_test, "image")} for testing only` : ""),
    ),
    wholeBar(facts),
    el(
      "ul",
      { class: "lm-ov-legend" },
      part("positive", "positive", facts.positive),
      part("negative", "negative", facts.negative),
      part("pseudo", "pseudo-labels", pseudo, pseudo ? `${format.compact(facts.pseudo_positive)} positive, ${format.compact(facts.pseudo_negative)} negative` : facts.current_run ? "none open" : "after the first run"),
      part("unknown", "unknown", facts.unknown),
    ),
    facts.truth ? truthLine(facts) : null,
  );
  void context;
}

function wholeBar(facts) {
  const pseudo = facts.pseudo_positive + facts.pseudo_negative;
  const parts = [
    ["positive", facts.positive],
    ["negative", facts.negative],
    ["pseudo", pseudo],
    ["unknown", facts.unknown],
  ];
  return el(
    "div",
    { class: "lm-stack lm-ov-whole", role: "img", "aria-label": parts.map(([key, count]) => `${key} ${format.percent(count / facts.total)}`).join(", ") },
    parts.filter(([, count]) => count).map(([key, count]) => el("span", { class: `lm-stack-part lm-fill-${key}`, style: { "flex-grow": String(count / facts.total) } })),
  );
}

function truthLine(facts) {
  const say = (word, found) => (found.total ? `${format.percent(found.precision)} of ${format.number(found.total)} ${word}` : `no ${word} yet`);
  const { positive, negative } = facts.truth;
  return el(
    "p",
    { class: "lm-ov-truth" },
    icon("check"),
    el(
      "span",
      {},
      el("b", {}, "The truth is known here"),
      " (training never sees it). ",
      positive.total || negative.total
        ? `Of today's pseudo-labels ${say("positives", positive)} and ${say("negatives", negative)} are right.`
        : "Once a run has finished, this line says how many pseudo-labels are right.",
    ),
  );
}

// what to do next --------------------------------------------------------------------------------------------------

function drawSteps(place, steps, context) {
  const [first, ...others] = steps;
  if (!first) return fill(place, emptyState({ title: "Nothing is left to do", drawing: "check" }));
  const go = (step) => context.address.set(step.tab, step.params);
  return fill(
    place,
    el("p", { class: "lm-ov-kicker" }, "Next best step"),
    el("h2", {}, first.title),
    el("p", { class: "lm-soft" }, first.reason),
    el("div", { class: "lm-ov-step-row" }, button(first.label, { kind: "primary", onclick: () => go(first) })),
    others.length
      ? el(
          "ul",
          { class: "lm-ov-also", "aria-label": "Also useful" },
          others.slice(0, 3).map((step) => el("li", {}, el("a", { href: context.address.of(step.tab, step.params), title: step.reason }, step.title))),
        )
      : null,
  );
}
