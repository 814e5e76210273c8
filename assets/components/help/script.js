const dialog = element.querySelector("dialog");
const list = element.querySelector(".keys");

function draw() {
  list.replaceChildren(
    ...Object.entries(lm.ACTIONS).map(([action, [, words]]) => {
      const button = lm.el("button", { type: "button", class: "lm-button lm-key", "aria-label": `key for: ${words}`, click: () => wait(button, action) }, lm.keyName(lm.keyOf(action)));
      return lm.el("div", {}, lm.el("span", {}, words), button);
    }),
  );
}

function wait(button, action) {
  button.textContent = "press a key";
  const done = () => (button.removeEventListener("keydown", take), draw());
  function take(event) {
    if (["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const other = event.key === "Escape" ? null : lm.bind(action, key);
    if (other) lm.say(`${lm.keyName(key)} is taken: ${lm.ACTIONS[other][1]}`, "error");
    done();
  }
  button.addEventListener("keydown", take);
  button.addEventListener("blur", done, { once: true });
}

element.querySelector(".restore").addEventListener("click", () => (lm.bind(null), draw()));
document.addEventListener("lm-help", () => dialog.open || (draw(), dialog.showModal()));
lm.keys(document.body, { help: () => document.dispatchEvent(new Event("lm-help")) });
