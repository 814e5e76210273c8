// One handler for all keys. Only the visible tab's keys fire, and never while somebody types.

import { el } from "./core.js";

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Enter: "Enter" };

/** How a key is written on screen. */
export const keyName = (key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);

const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName) || (target.tagName === "INPUT" && !["checkbox", "radio", "range", "button"].includes(target.type)));

const isPressable = (target) => target instanceof HTMLElement && target.closest("button, a[href], summary, [role=button], input[type=checkbox], input[type=radio]");

/** @param settings function that returns the chosen keys: {"review.accept": "a"} */
export function makeKeys(visibleTab, settings) {
  const groups = new Map();
  const layers = [];

  function register(tab, actions) {
    groups.set(tab, actions);
    return () => groups.get(tab) === actions && groups.delete(tab);
  }

  /** Keys that hide all others until the returned function is called: dialogs and panels. */
  function layer(name, actions) {
    const entry = { name, actions };
    layers.push(entry);
    return () => layers.splice(layers.indexOf(entry), 1);
  }

  const keyOf = (tab, action) => settings()[`${tab}.${action.name}`] ?? action.key;

  function onKeyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]:not([data-lm-keys])")) return;
    if (event.key.startsWith("Arrow") && event.target instanceof HTMLInputElement) return; // sliders and radio buttons move
    if ((event.key === "Enter" || event.key === " ") && isPressable(event.target)) return;
    const top = layers.at(-1);
    const group = top ? top.name : visibleTab();
    const found = (top ? top.actions : groups.get(group) ?? []).find((action) => matches(event, keyOf(group, action)));
    if (!found || (event.repeat && !found.repeat)) return;
    event.preventDefault();
    found.run(event);
  }

  document.addEventListener("keydown", onKeyDown);
  return { register, layer, keyOf, name: keyName, groups: () => groups, hint: (tab, action) => keyHint(keyOf(tab, action)) };
}

function matches(event, key) {
  if (key.length === 1 && /[a-z]/i.test(key)) return event.key.toLowerCase() === key.toLowerCase();
  return event.key === key;
}

/** A key as it stands on a keyboard. */
export const keyHint = (key) => el("kbd", { class: "lm-key", "aria-hidden": "true" }, keyName(key));
