// The calibration plot: what was claimed against what was so, on held-out known cells.

const SIZE = 340;
const PAD = 40;

export function calibrationPlot(context, reply) {
  const { el, format } = context;
  if (!reply.bins.length) {
    return el("p", { class: "lm-soft" }, reply.run === null ? "No run has finished yet." : "This run held no known cells out, so its scores cannot be checked.");
  }
  const at = (value) => PAD + value * (SIZE - 2 * PAD);
  const up = (value) => SIZE - at(value);
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
    el("line", { class: "lm-plot-grid", x1: at(value), x2: at(value), y1: up(0), y2: up(1) }),
    el("line", { class: "lm-plot-grid", x1: at(0), x2: at(1), y1: up(value), y2: up(value) }),
    el("text", { class: "lm-plot-text", x: at(value), y: up(0) + 16, "text-anchor": "middle" }, String(value)),
    el("text", { class: "lm-plot-text", x: at(0) - 8, y: up(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const bins = reply.bins.flatMap((bin) => [
    el("line", { class: "lm-plot-range", x1: at(bin.claimed), x2: at(bin.claimed), y1: up(bin.lower), y2: up(bin.upper) }),
    el("circle", { class: "lm-plot-point", cx: at(bin.claimed), cy: up(bin.observed), r: 4 }, el("title", {}, `claimed ${bin.claimed.toFixed(2)}, so in ${format.percent(bin.observed)} of ${format.number(bin.total)} cells`)),
  ]);
  const label = `Calibration of run ${reply.run}: mean distance ${reply.error.toFixed(3)} on ${reply.cells} cells`;
  const plot = el(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "lm-plot", role: "img", "aria-label": label },
    ...grid,
    el("line", { class: "lm-plot-ideal", x1: at(0), y1: up(0), x2: at(1), y2: up(1) }),
    ...bins,
    el("text", { class: "lm-plot-text", x: SIZE / 2, y: SIZE - 6, "text-anchor": "middle" }, "score"),
    el("text", { class: "lm-plot-text", x: 12, y: SIZE / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${SIZE / 2})` }, "share that is positive"),
  );
  const change = reply.ece_before !== null && reply.ece_before !== undefined ? ` Before calibration it was ${reply.ece_before.toFixed(3)}.` : "";
  return el(
    "div",
    { class: "lm-plot-box" },
    plot,
    el("p", {}, `Run ${reply.run}, ${format.number(reply.cells)} known cells that the training did not see. Points on the line mean that scores are probabilities; bars are 95 % intervals.`),
    el("p", { class: "lm-soft" }, `Mean distance from the line: ${reply.error.toFixed(3)}.${change}`),
  );
}
