// The settings drawer and the list of keys.

import { api, el, fill } from "./core.js";
import { button, dialog, toast, toastError } from "./components.js";
import { keyHint, keyName } from "./keys.js";

const PERSON_DAYS = 365;

function keyTable(context, tab) {
  const actions = context.keys.groups().get(tab) ?? [];
  if (!actions.length) return el("p", { class: "lm-soft" }, "This tab has no keys of its own.");
  return el(
    "dl",
    { class: "lm-keys" },
    actions.filter((action) => action.description).map((action) => el("div", {}, el("dt", {}, keyHint(context.keys.keyOf(tab, action))), el("dd", {}, action.description))),
  );
}

/** Show which keys do what on a tab. */
export function openHelp(context, tab) {
  if (document.querySelector("dialog.lm-help")) return;
  const body = [
    el("h3", {}, `Keys in ${tab[0].toUpperCase()}${tab.slice(1)}`),
    keyTable(context, tab),
    el("h3", {}, "How a state looks"),
    el(
      "ul",
      { class: "lm-legend-list" },
      [
        ["positive", "the class is there: a person or the import said so"],
        ["negative", "the class is not there: somebody looked"],
        ["unknown", "nobody has looked; it is not a negative"],
        ["pseudo", "a model's claim on an unknown cell, until a person decides"],
      ].map(([state, words]) => el("li", {}, context.stateChip(state), el("span", {}, words))),
    ),
  ];
  const shown = dialog({ title: "Keys and help", body });
  shown.node.classList.add("lm-help");
}

/** The drawer: the person's name and the keys of every tab. */
export function openSettings(context) {
  const { session } = context;
  const name = el("input", { class: "lm-input", value: session.who ?? "", maxlength: "60", autocomplete: "name", id: "lm-person-name" });
  const goal = el("input", { class: "lm-input", type: "number", min: "1", max: "100", step: "1", id: "lm-goal", value: String(Math.round((session.settings.goal ?? 0.5) * 100)) });
  const keyPlace = el("div", {});
  const changed = { ...(session.settings.keys ?? {}) };
  fill(keyPlace, [...context.keys.groups()].filter(([, actions]) => actions.length).map(([tab, actions]) => keyEditor(context, tab, actions, changed)));
  async function save() {
    const who = name.value.trim();
    document.cookie = `lm_person=${encodeURIComponent(who)}; path=/; max-age=${PERSON_DAYS * 86400}; samesite=strict`;
    const share = Math.min(100, Math.max(1, Number(goal.value) || 50)) / 100;
    try {
      const answer = await api.post("/api/session/settings", { changes: { keys: Object.keys(changed).length ? changed : null, goal: share } });
      session.settings = answer.settings;
      session.who = who || (await api.get("/api/session")).who;
      context.bus.emit("settings-changed", session.settings);
      toast("Settings saved", { kind: "good" });
      shown.close();
    } catch (error) {
      toastError(error);
    }
  }
  const shown = dialog({
    title: "Settings",
    drawer: true,
    body: [
      el("section", {}, el("label", { class: "lm-field", for: "lm-person-name" }, "Your name", name), el("p", { class: "lm-soft" }, "Stands beside each of your decisions; undo follows it.")),
      el("section", {}, el("label", { class: "lm-field", for: "lm-goal" }, "Goal: known cells, in per cent", goal), el("p", { class: "lm-soft" }, "Overview says how long it takes to get there.")),
      el("section", {}, el("h3", {}, "Keys"), el("p", { class: "lm-soft" }, "Press a key's button, then the new key. A tab's keys join the list once it has been opened."), keyPlace),
      el(
        "section",
        {},
        el("h3", {}, "This data set"),
        el("p", { class: "lm-soft" }, session.root),
        (session.notes ?? []).map((note) => el("p", { class: "lm-soft" }, typeof note === "string" ? note : JSON.stringify(note))),
      ),
    ],
    footer: [button("Cancel", { onclick: () => shown.close() }), button("Save", { kind: "primary", onclick: save })],
  });
}

function keyEditor(context, tab, actions, changed) {
  const rows = actions
    .filter((action) => action.description)
    .map((action) => {
      const id = `${tab}.${action.name}`;
      const press = el("button", { type: "button", class: "lm-button lm-key-button", "aria-label": `Key for ${action.description}` }, keyName(context.keys.keyOf(tab, action)));
      press.addEventListener("click", () => {
        fill(press, "press a key");
        press.addEventListener("keydown", take);
        press.addEventListener("blur", done, { once: true });
      });
      function take(event) {
        if (["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key !== "Escape") {
          const other = actions.find((one) => one !== action && (changed[`${tab}.${one.name}`] ?? one.key) === event.key);
          if (other) toast(`${keyName(event.key)} is taken by “${other.description}”`, { kind: "bad" });
          else changed[id] = event.key;
        }
        done();
      }
      function done() {
        press.removeEventListener("keydown", take);
        fill(press, keyName(changed[id] ?? action.key));
      }
      return el("div", { class: "lm-key-row" }, el("span", {}, action.description), press);
    });
  return el("fieldset", { class: "lm-key-group" }, el("legend", {}, `${tab[0].toUpperCase()}${tab.slice(1)}`), rows);
}
