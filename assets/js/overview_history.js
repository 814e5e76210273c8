// How it went: known cells over time, the pace, and one round after another.

import { el, fill, format } from "./core.js";
import { emptyState, icon } from "./components.js";

const WIDTH = 360;
const HEIGHT = 150;
const PAD = { left: 50, right: 8, top: 8, bottom: 20 };

/** Known cells as a curve; each finished run is a dot on it. */
export function knownCurve(place, { points, total, rounds }) {
  if (points.length < 2) {
    return fill(place, emptyState({ title: "No decision yet", body: "The curve begins with the first answer somebody gives.", drawing: "history" }));
  }
  const times = points.map(([time]) => new Date(time).getTime());
  const known = points.map(([, count]) => count);
  const start = decisionsStart(times);
  const end = Math.max(times.at(-1), start + 1000);
  const low = Math.min(...known);
  const high = Math.max(...known, low + 1);
  const x = (time) => PAD.left + ((Math.max(time, start) - start) / (end - start)) * (WIDTH - PAD.left - PAD.right);
  const y = (count) => HEIGHT - PAD.bottom - ((count - low) / (high - low)) * (HEIGHT - PAD.top - PAD.bottom);
  let line = `M${x(times[0])} ${y(known[0])}`;
  for (let i = 1; i < known.length; i += 1) line += `H${x(times[i]).toFixed(1)}V${y(known[i]).toFixed(1)}`;
  const area = `${line}V${HEIGHT - PAD.bottom}H${x(times[0])}Z`;
  const at = (time) => known[Math.max(0, times.findLastIndex((one) => one <= time))];
  const marks = rounds.filter((round) => round.status === "finished" && round.time * 1000 >= start && round.time * 1000 <= end);
  const digits = (high - low) / total < 0.002 ? 2 : 1;
  const spoken = `Known cells rose from ${format.number(known[0])} to ${format.number(known.at(-1))} of ${format.number(total)}.`;
  return fill(
    place,
    el(
      "svg",
      { class: "lm-ov-curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": spoken },
      [low, high].map((count) => [
        el("line", { x1: PAD.left, x2: WIDTH - PAD.right, y1: y(count), y2: y(count) }),
        el("text", { x: PAD.left - 6, y: y(count) + 4, "text-anchor": "end" }, format.percent(count / total, digits)),
      ]),
      el("path", { class: "lm-ov-area", d: area }),
      el("path", { class: "lm-ov-stroke", d: line }),
      marks.map((round) =>
        el("circle", { cx: x(round.time * 1000), cy: y(at(round.time * 1000)), r: 4 }, el("title", {}, `Run ${round.run}${round.map === null ? "" : `, mAP ${round.map.toFixed(3)}`}`)),
      ),
      el("text", { x: PAD.left, y: HEIGHT - 5 }, format.time(start)),
      el("text", { x: WIDTH - PAD.right, y: HEIGHT - 5, "text-anchor": "end" }, format.time(end)),
    ),
  );
}

/** A long wait between the import and the first decision would squeeze everything else: begin a little before it. */
function decisionsStart(times) {
  const [imported, first] = times;
  const span = times.at(-1) - first;
  return Math.max(imported, first - Math.max(span * 0.1, 60_000));
}

/** Decisions a minute and the time to the goal. */
export function paceLine(place, progress) {
  const goal = format.percent(progress.goal, 0);
  const left =
    progress.missing === 0
      ? `The goal of ${goal} known is reached.`
      : progress.seconds_left === null
        ? `${format.plural(progress.missing, "cell is", "cells are")} missing to the goal of ${goal} known.`
        : `At this rate ${format.duration(progress.seconds_left)} of work to ${goal} known.`;
  return fill(
    place,
    el("p", {}, el("b", { class: "lm-number" }, progress.per_minute ? format.number(progress.per_minute) : "–"), " decisions a minute"),
    el("p", { class: "lm-soft" }, left, progress.cells_per_decision > 1.05 ? ` One decision settles ${format.number(progress.cells_per_decision)} cells.` : "", progress.per_minute ? " Pauses are left out." : ""),
  );
}

/** The runs as a line from top (latest) to bottom. */
export function roundLine(place, rounds, audits, context) {
  if (!rounds.length) {
    return fill(
      place,
      emptyState({
        title: "No round yet",
        body: "A round is: label, train, look at what the model proposes.",
        drawing: "spark",
        action: el("a", { class: "lm-button", href: context.address.of("train") }, "Go to training"),
      }),
    );
  }
  return fill(place, el("ol", { class: "lm-ov-rounds" }, [...rounds].reverse().map((round) => roundEntry(round, audits.filter((audit) => audit.run === round.run), context))));
}

const STATUS_WORDS = { queued: "waiting", running: "training", finished: "", failed: "failed", cancelled: "cancelled", paused: "paused", died: "stopped by itself" };

function roundEntry(round, audits, context) {
  const compared = round.comparison;
  const gain = compared ? compared.map - compared.best_map : null;
  const answered = round.answers.cells;
  const { accepted, rejected } = round.agreement;
  const checked = audits.reduce((sum, audit) => sum + audit.checked, 0);
  const right = audits.reduce((sum, audit) => sum + audit.right, 0);
  const facts = [
    checked ? `audited: ${format.number(right)} of ${format.number(checked)} blind answers agree` : null,
    answered ? `${format.plural(answered, "cell")} answered after it` : "nothing answered after it",
    accepted + rejected ? `${format.percent(accepted / (accepted + rejected), 0)} of ${format.number(accepted + rejected)} looked at were accepted` : null,
  ];
  const truth = round.truth;
  return el(
    "li",
    { class: round.is_current ? "lm-ov-round lm-ov-round-now" : "lm-ov-round" },
    el(
      "div",
      { class: "lm-ov-round-head" },
      el("a", { href: context.address.of("train", { run: round.run }) }, round.name || `Run ${round.run}`),
      el("span", { class: "lm-soft" }, format.time(round.time * 1000), STATUS_WORDS[round.status] ? ` · ${STATUS_WORDS[round.status]}` : ""),
      round.map === null
        ? null
        : el(
            "span",
            { class: "lm-end lm-number" },
            "mAP ",
            el("b", {}, round.map.toFixed(3)),
            gain === null ? null : el("span", { class: gain >= 0 ? "lm-ov-up" : "lm-ov-down", title: compared.why }, ` ${gain >= 0 ? "+" : "−"}${Math.abs(gain).toFixed(3)}`),
          ),
    ),
    el("p", { class: "lm-soft" }, facts.filter(Boolean).join(" · ")),
    truth ? el("p", { class: "lm-soft" }, icon("check", { size: 12 }), ` true precision: ${truthWords(truth.positive)} positive, ${truthWords(truth.negative)} negative`) : null,
    round.is_current ? el("span", { class: "lm-tag" }, "makes today's pseudo-labels") : null,
  );
}

const truthWords = (found) => (found.total ? `${format.percent(found.precision)} of ${format.compact(found.total)}` : "no");
