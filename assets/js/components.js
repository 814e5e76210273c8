// The few pieces all tabs are made of.

import { el, fill, format } from "./core.js";

/** The four marks: shape and colour, the same everywhere. */
export const STATES = {
  positive: { mark: "●", word: "positive" },
  negative: { mark: "○", word: "negative" },
  unknown: { mark: "·", word: "unknown" },
  pseudo: { mark: "◐", word: "pseudo-label" },
};

/** "positive" for 1, "negative" for -1, "unknown" for 0, "pseudo" where there is a proposal. */
export const stateKey = (state, proposal = 0) =>
  typeof state === "string" ? state : state > 0 ? "positive" : state < 0 ? "negative" : proposal ? "pseudo" : "unknown";

/** The bare mark of a state. */
export function stateMark(state) {
  const key = stateKey(state);
  return el("span", { class: `lm-mark lm-mark-${key}`, "aria-hidden": "true" });
}

/** A chip: mark, label and, for a pseudo-label, its score. `sign` says what is proposed. */
export function stateChip(state, { label, score, sign, title } = {}) {
  const key = stateKey(state);
  const claim = key === "pseudo" && sign ? (sign > 0 ? " (positive)" : " (negative)") : "";
  const spoken = `${label ? `${label}: ` : ""}${STATES[key].word}${claim}`;
  return el(
    "span",
    { class: `lm-chip lm-chip-${key}`, title: title ?? spoken },
    stateMark(key),
    el("span", { class: "lm-chip-label" }, label ?? STATES[key].word),
    label ? el("span", { class: "lm-sr" }, ` ${STATES[key].word}${claim}`) : null,
    score === null || score === undefined ? null : el("span", { class: "lm-chip-score" }, format.score(score)),
  );
}

/** A score in [0, 1] as a bar with its number. */
export function scoreBar(score, { label = "score" } = {}) {
  if (score === null || score === undefined) return el("span", { class: "lm-score lm-score-none" }, "–");
  const width = Math.max(0, Math.min(1, score));
  return el(
    "span",
    { class: "lm-score", role: "img", "aria-label": `${label} ${format.score(score)}` },
    el("span", { class: "lm-score-track" }, el("span", { class: "lm-score-fill", style: { width: `${width * 100}%` } })),
    el("span", { class: "lm-score-number" }, format.score(score)),
  );
}

/** Shares of a whole as one bar; segments: [{key, count, label}]. */
export function stackedBar(segments, total, { label } = {}) {
  const spoken = segments.map((part) => `${part.label ?? STATES[part.key].word} ${format.number(part.count)}`).join(", ");
  return el(
    "span",
    { class: "lm-stack", role: "img", "aria-label": label ? `${label}: ${spoken}` : spoken },
    segments
      .filter((part) => part.count > 0)
      .map((part) => el("span", { class: `lm-stack-part lm-fill-${part.key}`, style: { "flex-grow": String(part.count / Math.max(total, 1)) } })),
  );
}

const ICONS = {
  settings: "M10 3h4l.6 2.4 2 .9 2.2-1.2 2 3.4-1.7 1.7v1.6l1.7 1.7-2 3.4-2.2-1.2-2 .9L14 21h-4l-.6-2.4-2-.9-2.2 1.2-2-3.4 1.7-1.7v-1.6L3.2 8.5l2-3.4 2.2 1.2 2-.9zM12 9a3 3 0 100 6 3 3 0 000-6z",
  search: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20",
  close: "M6 6l12 12M18 6L6 18",
  undo: "M8 5L4 9l4 4M4 9h10a5 5 0 010 10h-3",
  redo: "M16 5l4 4-4 4M20 9H10a5 5 0 000 10h3",
  check: "M5 12.5l4.5 4.5L19 7",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  up: "M6 15l6-6 6 6",
  sort: "M8 5v14M8 19l-3-3M8 19l3-3M16 19V5M16 5l-3 3M16 5l3 3",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M9 9.5h.01",
  play: "M8 5l11 7-11 7z",
  pause: "M8 5v14M16 5v14",
  stop: "M7 7h10v10H7z",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.6-5.1-2.7-5.1 2.7 1-5.6-4.1-4 5.7-.8z",
  link: "M10 14l4-4M8.5 11l-2 2a3.5 3.5 0 005 5l2-2M15.5 13l2-2a3.5 3.5 0 00-5-5l-2 2",
  external: "M14 4h6v6M20 4l-9 9M18 14v5H5V6h5",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01",
  help: "M12 3a9 9 0 100 18 9 9 0 000-18zM9.5 9.5a2.5 2.5 0 114 2c-1 .7-1.5 1.2-1.5 2.5M12 17h.01",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17.5h.01",
  filter: "M4 6h16l-6 7v5l-4 2v-7z",
  zoom: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20M10.5 8v5M8 10.5h5",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  plus: "M12 5v14M5 12h14",
  user: "M12 4a4 4 0 100 8 4 4 0 000-8zM4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  spark: "M12 3v5M12 16v5M3 12h5M16 12h5M6 6l3 3M15 15l3 3M18 6l-3 3M9 15l-3 3",
  history: "M4 12a8 8 0 108-8 8 8 0 00-6.5 3.5M5 4v4h4M12 8v4.5l3 2",
};

/** A line drawing of 16 px; decoration only, so name the button that holds it. */
export function icon(name, { size = 16 } = {}) {
  return el(
    "svg",
    { class: "lm-icon", viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", focusable: "false" },
    el("path", { d: ICONS[name] ?? ICONS.help }),
  );
}

/** A button. `kind`: primary, quiet, danger or nothing. */
export function button(label, { kind, icon: drawing, onclick, title, hidden_label: hides = false, ...rest } = {}) {
  return el(
    "button",
    { type: "button", class: ["lm-button", kind && `lm-button-${kind}`, hides && "lm-button-icon"], onclick, title: title ?? (hides ? label : null), "aria-label": hides ? label : null, ...rest },
    drawing ? icon(drawing) : null,
    hides ? null : label,
  );
}

/** What a place shows that has nothing to show: a sentence and the way on. */
export function emptyState({ title, body, action, drawing = "image" }) {
  return el(
    "div",
    { class: "lm-empty" },
    el("div", { class: "lm-empty-drawing" }, icon(drawing, { size: 28 })),
    el("h3", {}, title),
    body ? el("p", {}, body) : null,
    action ?? null,
  );
}

/** What a place shows when something failed: what, what to do, and a way to try again. */
export function errorState(error, retry) {
  return el(
    "div",
    { class: "lm-empty lm-error", role: "alert" },
    el("div", { class: "lm-empty-drawing" }, icon("warning", { size: 28 })),
    el("h3", {}, error.message),
    error.hint ? el("p", {}, error.hint) : null,
    retry ? button("Try again", { onclick: retry }) : null,
  );
}

/** Grey shapes of the size of what is coming. */
export const skeleton = (height = "1em", width = "100%") => el("span", { class: "lm-skeleton", style: { height, width }, "aria-hidden": "true" });

// toasts -----------------------------------------------------------------------------------------------------------

let shelf = null;

/** Say something for a few seconds. `kind`: info, good or bad; `action`: {label, run}. */
export function toast(message, { kind = "info", action, hint, seconds } = {}) {
  if (!shelf?.isConnected) {
    shelf = el("div", { class: "lm lm-toasts", role: "status", "aria-live": "polite" });
    document.body.append(shelf);
  }
  const note = el("div", { class: `lm-toast lm-toast-${kind}` }, el("span", { class: "lm-toast-text" }, message, hint ? el("small", {}, hint) : null));
  const leave = () => note.remove();
  if (action) note.append(button(action.label, { kind: "quiet", onclick: () => (leave(), action.run()) }));
  note.append(button("Close", { kind: "quiet", icon: "close", hidden_label: true, onclick: leave }));
  shelf.append(note);
  while (shelf.children.length > 4) shelf.firstChild.remove();
  const timer = setTimeout(leave, (seconds ?? (kind === "bad" ? 12 : action ? 8 : 4)) * 1000);
  note.addEventListener("pointerenter", () => clearTimeout(timer), { once: true });
  return leave;
}

/** Say what failed. */
export const toastError = (error) => toast(error.message, { kind: "bad", hint: error.hint });

// dialogs ----------------------------------------------------------------------------------------------------------

/** Open a dialog; returns {node, close}. Esc and the ground close it unless told otherwise. */
export function dialog({ title, body, footer, wide = false, drawer = false, onclose, label }) {
  const close = () => node.close();
  const node = el(
    "dialog",
    { class: ["lm", "lm-dialog", wide && "lm-dialog-wide", drawer && "lm-drawer"], "aria-label": label ?? title },
    el("div", { class: "lm-dialog-head" }, el("h2", {}, title), button("Close", { kind: "quiet", icon: "close", hidden_label: true, onclick: close })),
    el("div", { class: "lm-dialog-body", tabindex: "0" }, body),
    footer ? el("div", { class: "lm-dialog-foot" }, footer) : null,
  );
  node.addEventListener("click", (event) => event.target === node && close());
  node.addEventListener("close", () => {
    node.remove();
    onclose?.();
  });
  document.body.append(node);
  node.showModal();
  return { node, close };
}

/** Ask; resolves to true only if the person pressed the named button. */
export function confirm({ title, body, confirm: yes = "Go on", danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const agree = button(yes, { kind: danger ? "danger" : "primary", onclick: () => ((answer = true), shown.close()) });
    const shown = dialog({
      title,
      body: typeof body === "string" ? el("p", {}, body) : body,
      footer: [button("Cancel", { onclick: () => shown.close() }), agree],
      onclose: () => resolve(answer),
    });
    agree.focus();
  });
}

/** A row of buttons of which one is chosen. options: [{value, label, state?}] */
export function choice({ label, options, value, onchange }) {
  const group = el("div", { class: "lm-choice", role: "radiogroup", "aria-label": label });
  const draw = (chosen) =>
    fill(
      group,
      options.map((option) =>
        el(
          "button",
          {
            type: "button",
            role: "radio",
            "aria-checked": String(option.value === chosen),
            tabindex: option.value === chosen ? "0" : "-1",
            onclick: () => pick(option.value),
            onkeydown: (event) => step(event, option.value),
          },
          option.state ? stateMark(option.state) : null,
          option.label,
        ),
      ),
    );
  function pick(next) {
    draw(next);
    group.querySelector('[aria-checked="true"]')?.focus();
    onchange(next);
  }
  function step(event, from) {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const at = options.findIndex((option) => option.value === from);
    pick(options[(at + move + options.length) % options.length].value);
  }
  draw(value);
  group.set = draw;
  return group;
}
