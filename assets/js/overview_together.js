// Which classes are known to appear together.

import { el, fill, format } from "./core.js";
import { emptyState, errorState, skeleton } from "./components.js";

const SIZES = [12, 20, 40];

export function heatMap(context) {
  let top = 20;
  const place = el("div", { class: "lm-card-body lm-ov-together" }, skeleton("200px"));
  const size = el(
    "select",
    { class: "lm-select", "aria-label": "How many classes", onchange: () => ((top = Number(size.value)), load()) },
    SIZES.map((value) => el("option", { value: String(value), selected: value === top }, `${value} most frequent`)),
  );
  const node = el("section", { class: "lm-card", "aria-label": "Classes together" }, el("div", { class: "lm-card-head" }, el("h2", {}, "Classes together"), el("span", { class: "lm-end" }, size)), place);

  async function load() {
    size.parentElement.hidden = context.session.classNames.length <= SIZES[0];
    try {
      draw(await context.api.get("/api/overview/together", { top }));
    } catch (error) {
      fill(place, errorState(error, load));
    }
  }

  function draw({ classes, both, judged }) {
    const any = both.some((row, i) => row.some((count, j) => i !== j && count > 0));
    if (classes.length < 2) return fill(place, emptyState({ title: "One class has no company", body: "With two or more classes this shows which appear together." }));
    if (!any) return fill(place, emptyState({ title: "No two classes are known to be in one image yet", body: "Answer a few more cells, and their company shows here." }));
    const readout = el("p", { class: "lm-soft lm-ov-readout", role: "status" }, "Rows: where this class is; columns: how often that one is there, too. Point at a square, or use the arrow keys.");
    const cells = classes.map((row, i) => classes.map((column, j) => square(row, column, i, j, both, judged)));
    const grid = el(
      "div",
      { class: "lm-ov-heat", role: "grid", "aria-label": "How often classes appear together", style: { "--lm-n": String(classes.length) } },
      el("div", { role: "row" }, el("span", { role: "columnheader" }, el("span", { class: "lm-sr" }, "Class")), classes.map((name) => el("span", { role: "columnheader", class: "lm-ov-heat-top", title: name }, el("span", {}, name)))),
      classes.map((name, i) => el("div", { role: "row" }, el("span", { role: "rowheader", class: "lm-ov-heat-side", title: name }, name), cells[i])),
    );
    const say = (target) => target?.dataset?.say && fill(readout, target.dataset.say);
    grid.addEventListener("pointerover", (event) => say(event.target));
    grid.addEventListener("focusin", (event) => say(event.target));
    grid.addEventListener("keydown", (event) => move(event, cells));
    cells[0][0].tabIndex = 0;
    return fill(place, el("div", { class: "lm-ov-heat-scroll" }, grid), readout);
  }

  return { node, load };
}

function square(row, column, i, j, both, judged) {
  const count = both[i][j];
  const known = judged[i][j];
  const share = known ? count / known : null;
  const say =
    i === j
      ? `“${row}” is positive in ${format.plural(count, "image")}.`
      : known
        ? `Where “${row}” is, “${column}” is there in ${format.number(count)} of ${format.number(known)} judged images (${format.percent(share, 0)}).`
        : `Where “${row}” is, nobody has judged “${column}”.`;
  const cell = el("span", { role: "gridcell", tabindex: "-1", class: i === j ? "lm-ov-square lm-ov-square-self" : known ? "lm-ov-square" : "lm-ov-square lm-ov-square-open", dataset: { say, at: `${i},${j}` }, "aria-label": say });
  if (share !== null && i !== j) cell.style.setProperty("--lm-share", `${Math.round(share * 100)}%`);
  return cell;
}

function move(event, cells) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const from = event.target.dataset?.at?.split(",").map(Number);
  if (!step || !from) return;
  event.preventDefault();
  const next = cells[from[0] + step[0]]?.[from[1] + step[1]];
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
