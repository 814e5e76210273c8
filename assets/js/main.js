// Mounts each tab's script when its root appears, and keeps address, tabs and pulse in step.

import { StudioProblem, address, api, bus, debounce, el, fill, format, isLeaving, pictures } from "./core.js";
import * as components from "./components.js";
import { makeKeys } from "./keys.js";
import { openHelp, openSettings } from "./settings.js";

const PULSE_MS = 1500;
const TABS = ["overview", "browse", "blend", "review", "train"];

const session = {};
const mounted = new Map(); // tab → {root, place, handle}
let visible = null;

const keys = makeKeys(
  () => visible,
  () => session.settings?.keys ?? {},
);

const context = {
  api,
  el,
  fill,
  bus,
  address,
  format,
  keys,
  session,
  debounce,
  ...components,
  thumb: (id, size) => pictures(session.version).thumb(id, size),
  media: (id, side) => pictures(session.version).media(id, side),
};

// tabs -------------------------------------------------------------------------------------------------------------

/** A root may be drawn anew at any time; what a script made lives in an element of our own that moves along. */
function adopt(root) {
  const name = root.dataset.lmTab;
  const known = mounted.get(name);
  if (!known) {
    const entry = { root, place: el("div", { class: "lm-tab-body" }), handle: null, isMissing: false };
    mounted.set(name, entry);
    bring(name, entry);
  } else if (known.root !== root) {
    known.root = root;
    root.replaceChildren(known.place);
  }
}

/** Fetch a tab's script and let it draw; one that did not arrive is fetched again on demand, or when the studio is back. */
async function bring(name, entry) {
  let script = null;
  entry.isMissing = false;
  try {
    script = await import(`./${name}.js`);
    entry.root.append(fill(entry.place)); // beside the skeleton, so that the script can measure
    entry.handle = (await script.mount(entry.place, context)) ?? {};
  } catch (error) {
    if (isLeaving()) return;
    entry.isMissing = !script;
    entry.handle = {};
    fill(entry.place, script ? broken(error) : missing(error, () => bring(name, entry)));
  }
  entry.root.replaceChildren(entry.place);
  if (visible === name) entry.handle.show?.(address.get().params);
}

function broken(error) {
  console.error(error);
  return components.errorState(Object.assign(error, { hint: error.hint ?? "Reload the page." }), () => location.reload());
}

function missing(error, retry) {
  console.warn(error);
  return components.errorState(new StudioProblem("This tab could not be loaded.", "Is the studio still running? Try again, or reload the page."), retry);
}

function adoptAll() {
  for (const root of document.querySelectorAll("[data-lm-tab]")) if (root.dataset.lmTab === visible || mounted.has(root.dataset.lmTab)) adopt(root);
}

function tabButton(name) {
  return document.querySelector(`[role=tab][data-tab-id="${name}"]`);
}

/** Draw the tab that the address names. */
function follow() {
  const { tab, params } = address.get();
  const name = TABS.includes(tab) ? tab : "overview";
  if (visible !== name) {
    mounted.get(visible)?.handle?.hide?.();
    visible = name;
    document.documentElement.dataset.lmVisible = name;
    press(name);
    adoptAll();
  }
  mounted.get(name)?.handle?.show?.(params);
}

function press(name) {
  const wanted = tabButton(name);
  if (!wanted || wanted.getAttribute("aria-selected") === "true") return;
  if (isPlain()) selectPlain(name);
  else wanted.click();
}

const isPlain = () => document.body.hasAttribute("data-lm-plain");

function selectPlain(name) {
  for (const button of document.querySelectorAll("[role=tab][data-tab-id]")) {
    const chosen = button.dataset.tabId === name;
    button.setAttribute("aria-selected", String(chosen));
    button.classList.toggle("selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
    document.getElementById(`tab-${button.dataset.tabId}`).hidden = !chosen;
  }
}

const remembered = new Map(); // the parameters a tab was left with

function onTabClick(event) {
  const pressed = event.target.closest?.("[role=tab][data-tab-id]");
  if (!pressed || !event.isTrusted) return;
  const name = pressed.dataset.tabId;
  if (isPlain()) selectPlain(name);
  if (name !== visible) address.set(name, remembered.get(name) ?? {});
}

function onTabArrow(event) {
  const from = event.target.closest?.("[role=tab][data-tab-id]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!from || !step) return;
  const next = TABS[(TABS.indexOf(from.dataset.tabId) + step + TABS.length) % TABS.length];
  event.preventDefault();
  address.set(next, remembered.get(next) ?? {});
  tabButton(next)?.focus();
}

// header -----------------------------------------------------------------------------------------------------------

const status = el("span", { class: "lm-status", role: "status" });

function drawHeader() {
  const end = document.querySelector("[data-lm-header-end]");
  if (!end || end.childElementCount) return;
  end.append(
    status,
    components.button("Keys and help", { kind: "quiet", icon: "help", hidden_label: true, onclick: () => openHelp(context, visible) }),
    components.button("Settings", { kind: "quiet", icon: "settings", hidden_label: true, onclick: () => openSettings(context) }),
  );
  drawStatus(session.pulse);
}

function drawStatus(pulse) {
  if (!pulse) return;
  const running = pulse.running?.length;
  fill(
    status,
    running ? el("a", { class: "lm-status-run", href: "#/train" }, el("span", { class: "lm-dot-live", "aria-hidden": "true" }), `Run ${pulse.running[0]} is training`) : null,
    session.trial ? el("span", { class: "lm-tag", title: "The complete labels are known, so true precision can be shown. Training never sees them." }, "Truth is known") : null,
    el("span", { class: "lm-person", title: "Decisions are written under this name; change it in the settings." }, components.icon("user"), session.who ?? ""),
  );
}

// pulse ------------------------------------------------------------------------------------------------------------

let isLost = false;

async function beat() {
  try {
    const pulse = await api.get("/api/session/pulse");
    if (isLost) {
      isLost = false;
      Object.assign(session, await loadSession());
      bus.emit("reconnected", session);
    }
    document.documentElement.removeAttribute("data-lm-lost");
    const before = session.pulse ?? pulse;
    session.pulse = pulse;
    bus.emit("pulse", pulse);
    if (pulse.seq !== before.seq) bus.emit("labels-changed", pulse);
    if (pulse.runs_version !== before.runs_version || pulse.current_run !== before.current_run) bus.emit("run-changed", pulse);
    if (pulse.current_run !== before.current_run || String(pulse.finished) !== String(before.finished)) bus.emit("scores-changed", pulse);
    if (pulse.settings_version !== before.settings_version) await refreshSettings();
    drawStatus(pulse);
  } catch (error) {
    if (error.status === 401) return location.reload();
    isLost = true;
    document.documentElement.setAttribute("data-lm-lost", "");
    fill(status, el("span", { class: "lm-status-lost" }, components.icon("warning"), "The studio does not answer"));
  }
  setTimeout(beat, document.hidden ? PULSE_MS * 4 : PULSE_MS);
}

async function loadSession() {
  const loaded = await api.get("/api/session");
  return { ...loaded, classNames: loaded.class_names, numImages: loaded.num_images };
}

async function refreshSettings() {
  Object.assign(session, await loadSession());
  bus.emit("settings-changed", session.settings);
}

// start ------------------------------------------------------------------------------------------------------------

async function start() {
  try {
    Object.assign(session, await loadSession());
  } catch (error) {
    for (const root of document.querySelectorAll("[data-lm-tab]")) fill(root, components.errorState(error, () => location.reload()));
    setTimeout(start, 2000);
    return;
  }
  drawHeader();
  document.addEventListener("click", onTabClick, true);
  document.addEventListener("keydown", onTabArrow, true);
  addEventListener("popstate", () => bus.emit("address", address.get()));
  bus.on("address", ({ tab, params }) => {
    remembered.set(tab, params);
    follow();
  });
  bus.on("reconnected", () => mounted.forEach((entry, name) => entry.isMissing && bring(name, entry)));
  keys.register("everywhere", []);
  follow();
  new MutationObserver(() => {
    drawHeader();
    if (visible) press(visible);
    adoptAll();
  }).observe(document.body, { childList: true, subtree: true });
  setTimeout(beat, PULSE_MS);
}

// A page taken from the browser's memory would go on with what it gave back when it was left.
addEventListener("pageshow", (event) => event.persisted && location.reload());

document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !event.target.closest?.("input, textarea, [contenteditable], dialog")) openHelp(context, visible);
});

start();
