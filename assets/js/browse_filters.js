// The filter bar: every condition can be combined with every other, and all of them stand in the address.

import { el, fill, format, debounce } from "./core.js";
import { button, choice, icon } from "./components.js";

const NAMES = ["class", "state", "from", "to", "split", "run", "who", "source", "path", "sort"];
const SIZES = { small: 132, medium: 184, large: 280 };
const SORTS = [
  ["name", "Name"],
  ["name-down", "Name, backwards"],
  ["score-high", "Highest score"],
  ["score-low", "Lowest score"],
  ["uncertain", "Most uncertain"],
  ["most-unknown", "Most unknown"],
  ["most-known", "Most known"],
  ["changed", "Changed last"],
  ["random", "Shuffled"],
];
const SOURCES = [
  ["", "Any source"],
  ["imported", "Imported"],
  ["human", "A person"],
  ["accepted", "Accepted"],
];

/** The conditions of an address, empty and unknown ones left out. */
export function cleaned(params) {
  return Object.fromEntries(NAMES.filter((name) => params[name] && !(name === "sort" && params[name] === "name")).map((name) => [name, params[name]]));
}

export class FilterBar {
  constructor(context, change, reload) {
    this.context = context;
    this.change = change;
    const { session } = context;
    const select = (name, label, options) =>
      el("select", { class: "lm-select", "aria-label": label, onchange: (event) => change({ [name]: event.target.value }) }, options.map(([value, text]) => el("option", { value }, text)));
    const later = debounce((name, value) => change({ [name]: value }), 250);
    this.className = el("input", { class: "lm-input lm-br-class", list: "lm-br-classes", placeholder: "Any class", "aria-label": "Class", autocomplete: "off" });
    this.className.addEventListener("change", () => this.takeClass());
    this.className.addEventListener("input", () => session.classNames.includes(this.className.value) && this.takeClass());
    this.path = el("input", { class: "lm-input lm-br-path", type: "search", placeholder: "Text in the path", "aria-label": "Text in the path", oninput: (event) => later("path", event.target.value) });
    this.from = this.bandInput("from", "Lowest score", "0");
    this.to = this.bandInput("to", "Highest score", "1");
    this.sign = select("state", "Sign of the pseudo-labels", [
      ["pseudo", "Either sign"],
      ["pseudo-positive", "Positive"],
      ["pseudo-negative", "Negative"],
    ]);
    this.split = select("split", "Split", [["", "Any split"], ...session.splits.map((name) => [name || "none", name || "no split"])]);
    this.source = select("source", "Source", SOURCES);
    this.who = select("who", "Person", [["", "Anybody"]]);
    this.run = select("run", "Run", [["", "Current run"]]);
    this.sort = select("sort", "Order", SORTS);
    this.statePlace = el("div", { class: "lm-br-states" });
    this.count = el("span", { class: "lm-br-count", role: "status", "aria-live": "polite" });
    this.again = button("Out of date: refresh", { icon: "redo", hidden: true, onclick: reload });
    this.again.classList.add("lm-br-again");
    this.reset = button("Clear", { kind: "quiet", icon: "close", title: "Clear filters", "aria-label": "Clear filters", onclick: () => context.address.set("browse", {}) });
    this.fiftyone = button("Open in FiftyOne", { kind: "quiet", icon: "external" });
    this.fiftyone.classList.add("lm-br-fiftyone");
    this.drawFiftyOne(session.pulse);
    context.bus.on("pulse", (pulse) => this.fiftyone.textContent.startsWith("Opening") || this.drawFiftyOne(pulse));
    this.selectAll = button("Select all", { kind: "quiet", icon: "check" });
    this.size = choice({
      label: "Size of the pictures",
      value: localStorage.getItem("lm-br-size") ?? "medium",
      options: Object.keys(SIZES).map((value) => ({ value, label: value[0].toUpperCase() })),
      onchange(value) {
        localStorage.setItem("lm-br-size", value);
        context.bus.emit("browse-size", SIZES[value]);
      },
    });
    for (const [index, word] of Object.keys(SIZES).entries()) this.size.children[index].setAttribute("aria-label", `${word} pictures`);
    const classes = el("datalist", { id: "lm-br-classes" }, session.classNames.map((name) => el("option", { value: name })));
    this.node = el(
      "div",
      { class: "lm-br-bar", role: "search", "aria-label": "Filter images" },
      el("div", { class: "lm-br-line" }, el("span", { class: "lm-br-combo" }, this.className, classes, icon("down", { size: 12 })), this.statePlace, el("span", { class: "lm-search lm-br-find" }, icon("search"), this.path), this.fiftyone, this.size),
      el(
        "div",
        { class: "lm-br-line lm-br-line-2" },
        this.count,
        this.selectAll,
        el(
          "span",
          { class: "lm-br-rest lm-end" },
          this.reset,
          el("span", { class: "lm-br-labelled lm-br-score" }, el("span", {}, "Score"), this.from, "–", this.to),
          [this.sign, this.split, this.source, this.who, this.run],
          el("label", { class: "lm-br-labelled" }, icon("sort"), el("span", { class: "lm-sr" }, "Order"), this.sort),
        ),
      ),
      this.again,
    );
  }

  bandInput(name, label, edge) {
    return el("input", {
      class: "lm-input lm-br-band",
      type: "number",
      min: "0",
      max: "1",
      step: "0.05",
      placeholder: edge,
      "aria-label": label,
      onchange: (event) => {
        const value = Math.min(1, Math.max(0, Number(event.target.value)));
        this.change({ [name]: event.target.value === "" || String(value) === edge ? "" : String(value) });
      },
    });
  }

  takeClass() {
    const text = this.className.value.trim();
    const { classNames } = this.context.session;
    const name = classNames.includes(text) ? text : classNames.find((one) => one.toLowerCase() === text.toLowerCase());
    this.className.classList.toggle("lm-br-wrong", Boolean(text) && !name);
    if (text && !name) return;
    if ((this.params?.class ?? "") !== (name ?? "")) this.change({ class: name ?? "" });
  }

  /** Show what the address says. */
  set(params) {
    this.params = params;
    if (document.activeElement !== this.className) this.className.value = params.class ?? "";
    if (document.activeElement !== this.path) this.path.value = params.path ?? "";
    this.from.value = params.from ?? "";
    this.to.value = params.to ?? "";
    for (const name of ["split", "source"]) this[name].value = params[name] ?? "";
    this.sort.value = params.sort ?? "name";
    this.reset.hidden = !Object.keys(params).some((name) => name !== "sort");
    const asked = JSON.stringify(params);
    if (asked !== this.counted) this.drawStates({});
  }

  /** Show what the server found. */
  found(view) {
    const { numImages } = this.context.session;
    fill(
      this.count,
      el("b", { class: "lm-number" }, format.number(view.total)),
      view.total === numImages ? ` ${view.total === 1 ? "image" : "images"}` : ` of ${format.plural(numImages, "image")}`,
      this.params.state || this.params.who || this.params.from || this.params.to || this.params.source ? el("span", { class: "lm-soft" }, ` · ${format.plural(view.cells, "cell")}`) : null,
    );
    options(this.who, [["", "Anybody"], ...view.people.map((name) => [name, name])], this.params.who);
    options(this.run, [["", "Current run"], ...view.runs.map((run) => [String(run), `Run ${run}`])], this.params.run);
    this.who.hidden = !view.people.length;
    this.run.hidden = view.runs.length < 2;
    this.counted = JSON.stringify(this.params);
    this.drawStates(view.facets);
    this.old(false);
  }

  drawStates(facets) {
    const label = (key, word) => [word, facets[key] === undefined ? null : el("span", { class: "lm-br-facet" }, format.compact(facets[key]))];
    const now = this.params.state ?? "";
    const sign = { "pseudo-positive": "positive", "pseudo-negative": "negative" }[now];
    const group = choice({
      label: "State",
      value: now.startsWith("pseudo") ? "pseudo" : now,
      options: [
        { value: "", label: "All" },
        { value: "positive", state: "positive", label: label("positive", "positive") },
        { value: "negative", state: "negative", label: label("negative", "negative") },
        { value: "pseudo", state: "pseudo", label: sign ? `pseudo-label: ${sign}` : label("pseudo", "pseudo-label") },
        { value: "unknown", state: "unknown", label: label("unknown", "unknown") },
      ],
      onchange: (value) => this.change({ state: value }),
    });
    const hadFocus = this.statePlace.contains(document.activeElement);
    fill(this.statePlace, group);
    this.sign.hidden = !now.startsWith("pseudo");
    this.sign.value = now.startsWith("pseudo") ? now : "pseudo";
    if (hadFocus) group.querySelector('[aria-checked="true"]')?.focus();
  }

  /** Say that the labels are newer than the list. */
  old(isOld) {
    this.again.hidden = !isOld;
  }

  /** Say whether the FiftyOne App can be opened, and if not, why. */
  drawFiftyOne(pulse) {
    const mirror = pulse?.mirror;
    const isStarting = mirror?.state === "starting";
    const isReady = Boolean(mirror) && !isStarting;
    this.fiftyone.setAttribute("aria-disabled", String(!isReady));
    this.fiftyone.title = mirror ? mirror.message : "This server was started without a FiftyOne data set.";
    const words = isStarting ? "FiftyOne is starting" : "Open in FiftyOne";
    this.fiftyone.setAttribute("aria-label", words);
    fill(this.fiftyone, icon("external"), el("span", {}, words));
  }
}

export const tileSize = () => SIZES[localStorage.getItem("lm-br-size")] ?? SIZES.medium;

function options(select, wanted, value) {
  fill(select, wanted.map(([key, text]) => el("option", { value: key }, text)));
  if (value && !wanted.some(([key]) => key === value)) select.append(el("option", { value }, value));
  select.value = value ?? "";
}
