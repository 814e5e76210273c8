// Words of the Train tab: runs, states, settings, sizes.

import { el, format } from "./core.js";

const GROUP_TITLES = {
  seed: "This run",
  backbone: "Network",
  head: "Last layer",
  warm: "Warm start of the last layer",
  augment: "Augmentation",
  mixing: "LogicMix",
  loss: "Loss (DP-ASL)",
  optimizer: "Optimiser",
  schedule: "Schedule",
  ema: "Moving average",
  pseudo: "Pseudo-labels in training",
  selection: "Selection",
  compute: "Computing",
};
const STATUS_WORDS = {
  queued: "waiting",
  running: "training",
  finished: "finished",
  failed: "failed",
  cancelled: "cancelled",
  paused: "paused",
  died: "ended by itself",
};

export const runTitle = (card) => (card.name ? `${card.name}` : `Run ${card.run}`);

export function statusTag(card) {
  return el("span", { class: `lm-tag lm-run-status is-${card.status}` }, card.status === "running" ? el("span", { class: "lm-dot-live", "aria-hidden": "true" }) : null, STATUS_WORDS[card.status] ?? card.status);
}

export const megabytes = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);

/** "optimizer.learning_rate" → "learning rate" */
export const settingWords = (name) => name.split(".").pop().replace(/^(is|has|should|can)_/, "").replaceAll("_", " ");
export const groupTitle = (name) => GROUP_TITLES[name.split(".")[0]] ?? name.split(".")[0];

export function valueWords(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (value === null || value === undefined) return "–";
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 0.001) return value.toExponential();
  if (Number.isInteger(value)) return format.number(value);
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}
