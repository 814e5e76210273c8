// The compact bar of a queue: what to review and in which order. Its values are the address.

export const ORDERS = [
  ["uncertain", "Most uncertain"],
  ["useful", "Most useful for training"],
  ["confident", "Most confident"],
  ["rarest", "Rarest class first"],
  ["class", "Class by class"],
  ["conflicts", "Conflicts first"],
  ["flipped", "Flipped since last run"],
  ["random", "Random"],
];

const SCOPES = [
  ["", "All that wait"],
  ["proposals", "Pseudo-labels only"],
  ["open", "All unknown cells"],
  ["new", "New since the last run"],
  ["withdrawn", "Withdrawn by the last run"],
  ["flipped", "Flipped by the last run"],
  ["unsure", "Left unsure before"],
  ["fresh", "Never shown before"],
];

const SIGNS = [["0", "Both signs"], ["1", "● likely present"], ["-1", "○ likely absent"]];

const BANDS = [
  ["", "Any score"],
  ["0.99-1", "0.99 to 1"],
  ["0.95-1", "0.95 to 1"],
  ["0.8-0.95", "0.80 to 0.95"],
  ["0.2-0.8", "0.20 to 0.80"],
  ["0.05-0.2", "0.05 to 0.20"],
  ["0-0.05", "0 to 0.05"],
  ["0-0.01", "0 to 0.01"],
];

const SCOPE_QUERY = {
  proposals: { only_proposals: "1" },
  open: { only_proposals: "0" },
  new: { changes: "new" },
  withdrawn: { changes: "withdrawn" },
  flipped: { changes: "flipped" },
  unsure: { unsure_before: "1" },
  fresh: { never_shown: "1" },
};

/** Return the queue's query from the values of the bar. */
export function queryOf(values) {
  const query = { order: values.order || "uncertain", ...(SCOPE_QUERY[values.scope] ?? {}) };
  if (values.class) query.class_names = values.class.split(",").map(encodeURIComponent).join(",");
  if (values.sign && values.sign !== "0") query.sign = values.sign;
  if (values.split) query.splits = encodeURIComponent(values.split);
  if (values.run) query.run = values.run;
  const band = /^([\d.]+)-([\d.]+)$/.exec(values.band ?? "");
  if (band) {
    query.score_low = band[1];
    query.score_high = band[2];
  }
  return query;
}

function choice({ el }, { name, label, options, value, onChange }) {
  const select = el("select", { class: "lm-select", name, "aria-label": label });
  if (value && !options.some(([key]) => key === value)) options = [...options, [value, value.replace("-", " to ")]];
  options.forEach(([key, text]) => {
    const option = el("option", { value: key }, text);
    option.selected = key === (value ?? "");
    select.append(option);
  });
  select.addEventListener("change", () => onChange(select.value));
  return el("label", { class: "lm-review-choice" }, el("span", { class: "lm-review-choice-name" }, label), select);
}

/** The finished runs; without a choice it is the one whose pseudo-labels are current. */
function runOptions(pulse) {
  const current = pulse?.current_run;
  const others = (pulse?.finished ?? []).filter((run) => run !== current).reverse();
  return [["", current ? `${current}, current` : "none yet"], ...others.map((run) => [String(run), String(run)])];
}

/** Draw the bar; `change(name, value)` is called when a person picks something. */
export function filterBar(context, { values, splits, change, parts }) {
  const { el } = context;
  const classes = [["", "All classes"], ...context.session.classNames.map((name) => [name, name])];
  const all = {
    order: { label: "Order", options: ORDERS, value: values.order || "uncertain" },
    scope: { label: "Cells", options: SCOPES },
    class: { label: "Class", options: parts.includes("one-class") ? classes.slice(1) : classes },
    sign: { label: "Sign", options: parts.includes("one-sign") ? SIGNS.slice(1) : SIGNS, value: values.sign || "0" },
    band: { label: "Score", options: BANDS },
    run: { label: "Run", fewest: 2, options: runOptions(context.session.pulse) },
    split: { label: "Split", fewest: 3, options: [["", "All splits"], ...splits.filter(Boolean).map((name) => [name, name])] },
    size: { label: "Tiles", options: [["12", "12"], ["24", "24"], ["48", "48"]], value: values.size || "24" },
  };
  const bar = el("div", { class: "lm-review-bar", role: "group", "aria-label": "What to review" });
  Object.entries(all).forEach(([name, part]) => {
    if (!parts.includes(name)) return;
    if (part.fewest && part.options.length < part.fewest && !values[name]) return;
    bar.append(choice(context, { name, value: values[name] ?? "", ...part, onChange: (value) => change(name, value) }));
  });
  return bar;
}
