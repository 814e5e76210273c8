// What the scripts of the components share, as `lm`: safe elements, keys, unsent answers, messages, the address.
window.lm = (() => {
  /** Build an element; children that are text stay text. */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") node.addEventListener(name, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }
  /** Every key with its one meaning on all tabs: name → [key, words]. */
  const ACTIONS = {
    yes: ["y", "Yes, it is there"],
    no: ["n", "No, it is not there"],
    unsure: ["u", "Unsure: leave it unknown, ask no more"],
    accept: ["a", "Accept the pseudo-label"],
    reject: ["r", "Reject the pseudo-label, or mark a tile as an exception"],
    skip: ["s", "Skip: ask again later"],
    undo: ["z", "Undo"],
    redo: ["x", "Redo"],
    confirm: ["k", "Confirm the rest of the page"],
    next: ["ArrowRight", "Next"],
    previous: ["ArrowLeft", "Previous"],
    down: ["ArrowDown", "Down"],
    up: ["ArrowUp", "Up"],
    open: ["Enter", "Open, or finish this image"],
    close: ["Escape", "Close, or clear the selection"],
    select: [" ", "Select"],
    enlarge: ["e", "Enlarge the picture"],
    suggestion: ["p", "Pseudo-label hidden, shown, with score"],
    next_class: ["c", "Next class"],
    draw: ["d", "Draw the next blend"],
    find: ["/", "Find a class"],
    help: ["?", "Show all keys"],
  };
  const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
  const [STORE, handlers] = ["lm-keys", []]; // of handlers: [element, {action: function}], the newest last

  const chosen = () => JSON.parse(localStorage.getItem(STORE) || "{}");
  const keyOf = (action) => chosen()[action] ?? ACTIONS[action][0];
  const keyName = (key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);

  /** The key that was pressed, as on a Latin layout where the layout in use has no Latin letters. */
  function pressed(event) {
    if (event.key.length !== 1) return event.key;
    const isLetter = /^Key[A-Z]$/.test(event.code);
    return isLetter && !/[a-z]/i.test(event.key) ? event.code.slice(3).toLowerCase() : event.key.toLowerCase();
  }

  const isTyping = (target) =>
    target.isContentEditable || target.matches?.("textarea, select, [role=combobox], [role=slider], input:not([type=checkbox], [type=radio], [type=button])");
  const isPressable = (target) => target.closest?.("button, a[href], summary, [role=button], [role=tab], input");
  const isVisible = (element) => element.isConnected && element.checkVisibility() && !element.closest("[inert]");

  /** Let a component answer keys while it can be seen; the one with the focus comes first, then the newest. */
  const keys = (element, actions) => handlers.push([element, actions]);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
    const key = pressed(event);
    if ((key === "Enter" || key === " ") && isPressable(event.target)) return;
    if (key.startsWith("Arrow") && event.target.matches?.("input, [role=tab]")) return;
    const top = document.querySelector("dialog[open]");
    const seen = handlers.filter(([element]) => isVisible(element) && (!top || top.contains(element) || element.contains(top)));
    seen.reverse().sort(([one], [other]) => other.contains(event.target) - one.contains(event.target)); // the focus comes first
    for (const [, actions] of seen) {
      if (actions.any?.(key, event)) return event.preventDefault();
      for (const [name, run] of Object.entries(actions)) {
        if (name === "any" || keyOf(name) !== key) continue;
        if (event.repeat && !["next", "previous", "up", "down"].includes(name)) return event.preventDefault();
        event.preventDefault();
        return run(event);
      }
    }
  });

  /** Write the key of each `<kbd data-key="action">` below an element. */
  const showKeys = (element) => element.querySelectorAll("kbd[data-key]").forEach((place) => (place.textContent = keyName(keyOf(place.dataset.key))));

  /** Choose a key; null brings every default back. Returns who has it already, or null. */
  function bind(action, key) {
    if (action === null) localStorage.removeItem(STORE);
    else {
      const other = Object.keys(ACTIONS).find((name) => name !== action && keyOf(name) === key);
      if (other) return other;
      localStorage.setItem(STORE, JSON.stringify({ ...chosen(), [action]: key }));
    }
    return showKeys(document) ?? null;
  }
  /** Show a message for some seconds. */
  function say(text, kind = "info") {
    let place = document.querySelector(".lm-messages");
    if (!place) document.body.append((place = el("div", { class: "lm-messages", role: "status", "aria-live": "polite" })));
    const message = el("div", { class: `lm-message lm-${kind}` }, text);
    place.append(message);
    setTimeout(() => message.remove(), kind === "error" ? 8000 : 3500);
  }

  /** What a server function answered, or an error that says it in words; Gradio answers nothing where a call failed. */
  function checked(reply) {
    if (reply === undefined || reply === null) throw new Error("The server cannot be reached");
    if (reply?.error) throw Object.assign(new Error(reply.error), { hint: reply.hint, isFinal: true });
    return reply;
  }
  // Calls that wait in the queue are sent one by one, others so for each event: an earlier one never answers last. And Gradio shows no message for a mistake outside its queue.
  const [plainFetch, plainTimeout, calls] = [window.fetch, window.setTimeout, {}];
  window.fetch = async (...asked) => {
    const [, kind] = /\/(run\/predict|queue\/join)\b/.exec(asked[0]) ?? [];
    const turn = kind === "run/predict" ? JSON.parse(asked[1].body).fn_index : kind;
    const answer = await (kind ? (calls[turn] = Promise.allSettled([calls[turn]]).then(() => plainFetch(...asked))) : plainFetch(...asked));
    if (answer.status >= 400 && String(asked[0]).includes("/run/predict")) answer.clone().json().then(({ error }) => error && say(new DOMParser().parseFromString(error, "text/html").body.textContent, "error"));
    return answer;
  };
  // Gradio's page takes an answer of the queue from a timer, but at once where it came before its call was acknowledged: a later one would be shown first.
  window.setTimeout = (call, wait, ...told) => (told[0]?.event_id ? call(...told) : plainTimeout(call, wait, ...told));
  const complain = (error) => say(error.hint ? `${error.message}: ${error.hint}` : error.message, "error");
  const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  /**
   * Answers on their way: sent in order, kept in the browser until acknowledged; an id makes sending one twice one action.
   * `send(content)` returns the reply or fails; `told(unsent, reply, error, content)` is called after every change.
   */
  function outbox(name, send, told) {
    const prefix = `lm-unsent:${name}:`;
    const entries = Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => JSON.parse(localStorage.getItem(key))).sort((one, other) => one.order - other.order);
    let [isSending, wait] = [false, 0];
    const forget = (entry) => {
      entries.splice(entries.indexOf(entry), 1);
      localStorage.removeItem(prefix + entry.content.id);
      wait = 0;
    };
    async function pump() {
      if (isSending || !entries.length) return;
      isSending = true;
      const entry = entries[0];
      try {
        const reply = checked(await send(entry.content));
        forget(entry);
        told(entries.length, reply, null, entry.content);
      } catch (error) {
        if (error.isFinal) forget(entry);
        else wait = Math.min(15000, wait ? wait * 2 : 500);
        told(entries.length, null, error, entry.content);
      }
      isSending = false;
      if (entries.length) setTimeout(pump, wait);
    }
    addEventListener("online", pump);
    setTimeout(pump);
    return {
      /** Queue a content; returns the id that it was given. */
      add(content) {
        const entry = { order: Math.max(Date.now() * 1000, (entries.at(-1)?.order ?? 0) + 1), content: { id: newId(), ...content } };
        entries.push(entry);
        localStorage.setItem(prefix + entry.content.id, JSON.stringify(entry));
        told(entries.length, null, null, null);
        pump();
        return entry.content.id;
      },
      unsent: () => entries.map((entry) => entry.content),
    };
  }
  /** Keep the tab that is looked at and its filters in the address, so that a reload or a link shows the same; without filters, its last. */
  const lastFilters = {};
  function address(tab, filters = lastFilters[tab]) {
    if (!filters && (new URLSearchParams(location.search).get("tab") ?? "overview") === tab) return;
    lastFilters[tab] = filters ??= {};
    if (!window.lm.hasArrived || document.querySelector("[role=tab][aria-selected=true]")?.dataset.tabId !== tab) return;
    const said = Object.entries(filters).filter(([, value]) => ![null, undefined, "", false].includes(value));
    history.replaceState(null, "", `?${new URLSearchParams([["tab", tab], ...said])}`);
  }
  const wished = localStorage.getItem("lm-theme");
  const showTheme = (theme) => document.body.classList.toggle("dark", theme === "dark");
  if (wished) new MutationObserver((_, observer) => document.querySelector(".gradio-container") && (showTheme(wished), observer.disconnect())).observe(document.documentElement, { childList: true, subtree: true });
  const switchTheme = () => showTheme((localStorage["lm-theme"] = document.body.classList.contains("dark") ? "light" : "dark"));

  /** Put the keyboard's focus where it is wanted without scrolling. */
  const focus = (element) => element?.focus({ preventScroll: true });
  const remember = (name, value) => (value === undefined ? JSON.parse(localStorage.getItem(name) || "null") : localStorage.setItem(name, JSON.stringify(value)));

  return { ACTIONS, address, bind, checked, complain, el, focus, keyName, keyOf, keys, newId, outbox, remember, say, showKeys, switchTheme };
})();
