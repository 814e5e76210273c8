// One question at a time: the next card is painted at once, its answer is sent behind it. The value says what is asked
// (origin, filters, address) and whose answers these are (store); the cards come from the server in batches.
const [BATCH, REFILL_BELOW, PREFETCH, MOST_DECODED, MOST_UNDO, PACE_WINDOW] = [50, 16, 8, 24, 500, 20];
const [PAUSE_MS, SUGGESTIONS] = [60000, ["hidden", "shown", "score"]];
const { origin, store } = props.value;
const [isConflict, isAudit] = ["conflicts", "audit"].map((name) => name === origin);
const find = (selector) => element.querySelector(selector);
const [stream, stage, saved] = [".stream", ".stage", ".saved"].map(find);
const number = (value) => Number(value).toLocaleString("en");
const article = (name) => (/^(uni|use|eu|one)/i.test(name) || !/^([aeiou]|8|11\b|18\b)/i.test(name) ? "a" : "an");
const holder = `${(sessionStorage["lm-window"] ??= lm.newId())}:${origin}`;
const pictures = new Map(); // address → img
let suggestion = lm.remember("lm-suggestion") ?? "shown";
let [cards, past, undone, times] = [[], [], [], []];
let [total, answered, shownAt, generation] = [0, 0, 0, 0];
let [run, empty, isLoading, hasEnded, isSeen, loading, released] = [null, null, false, false, false];
let [asked, since] = ["", new Set()]; // the filters, and the cells that were answered since the queue was asked
const box = lm.outbox(`${origin}:${store}`, (content) => server[content.kind]({ ...content, holder }), told);
/** Whether this view is looked at, and no address is about to lead to another. */
const isShown = () => stream.checkVisibility() && (lm.view !== origin || (lm.led ?? origin) === origin);
/** Ask anew; some cards stay on screen. `again` takes what was skipped once more. */
function restart(staying = [], again = false) {
  generation += 1;
  [cards, isLoading, hasEnded] = [staying, false, false];
  refill(again);
}

async function refill(again = false) {
  if (isSeen && !isShown()) release(); // cards that nobody looks at are left to others
  isSeen = isShown();
  if (!isSeen || isLoading || hasEnded || cards.length >= REFILL_BELOW) return;
  [isLoading, since] = [true, new Set()];
  if (!cards.length) draw();
  const mine = generation;
  await released;
  // what is on its way counts as had: the server would ask for it once more
  const have = [...cards, ...box.unsent()].flatMap((one) => one.cell ?? []);
  let reply;
  try {
    const call = server.next_cards({ filters: props.value.filters, want: BATCH, have, holder, again });
    reply = lm.checked(await ((loading = Promise.allSettled([loading, call]).then(() => null)), call));
  } catch (error) {
    if (mine !== generation) return;
    isLoading = false;
    empty = { title: "The queue could not be read", text: [error.message, error.hint].filter(Boolean).join(": "), steps: [{ label: "Try again", action: "again" }] };
    return cards.length ? null : draw();
  }
  if (mine !== generation) return;
  const wasEmpty = !cards.length;
  cards = cards.filter((card, place) => place === 0 || !reply.lost.includes(card.cell));
  cards.push(...reply.cards.filter(({ cell }) => !since.has(cell) && !cards.some((card) => card.cell === cell)));
  ({ run, empty } = reply);
  total = Math.max(cards.length, reply.total - box.unsent().filter((content) => content.counts).length);
  [isLoading, hasEnded] = [false, !reply.cards.length];
  if (wasEmpty) draw();
  drawFigures();
  prefetch();
}
function picture(url) {
  const image = pictures.get(url) ?? lm.el("img", { src: url, alt: "", draggable: "false", decoding: "async" });
  image.ready ??= image.decode().then(() => true, () => false);
  pictures.delete(url);
  pictures.set(url, image);
  if (pictures.size > MOST_DECODED) pictures.delete(pictures.keys().next().value);
  return image;
}

/** Load pictures ahead; the one that is looked at waits for no other. */
const prefetch = () => cards.length && picture(cards[0].url).ready.then(() => cards.slice(1, PREFETCH + 1).forEach((card) => picture(card.url)));

function draw() {
  const card = cards[0];
  stream.dataset.state = card ? "card" : isLoading ? "loading" : "empty";
  stream.dataset.cell = card ? `${card.image} ${card.name}` : "";
  enlarge(false);
  if (!card) return isLoading ? stage.replaceChildren() : drawEmpty();
  const image = picture(card.url);
  image.alt = `Image ${card.file}`;
  stage.dataset.state = image.complete ? "ready" : "loading";
  stage.replaceChildren(image);
  image.ready.then((isFine) => {
    if (cards[0] !== card) return;
    stage.dataset.state = isFine ? "ready" : "broken";
    if (!isFine) stage.replaceChildren(lm.el("p", { class: "lm-soft" }, "This image cannot be read. Skip it, or mend the file and reload the page."));
  });
  drawQuestion(card);
  drawFigures();
  shownAt = performance.now();
}

const shownClaim = (card) => (suggestion === "hidden" && !isConflict ? 0 : card.claim);

function drawQuestion(card) {
  const claim = shownClaim(card);
  const words = (state) => (state > 0 ? "present" : "absent");
  const chip = (state, text) => lm.el("span", { class: `lm-chip ${state}` }, lm.el("span", { class: `lm-mark ${state}` }), text);
  const known = isConflict && lm.el("p", {}, chip(card.state > 0 ? "positive" : "negative", `Known: ${words(card.state)}`), lm.el("span", { class: "lm-soft" }, card.known));
  const says = isConflict ? `Run ${card.run}: ${words(claim)}` : claim > 0 ? "The model thinks so" : "The model thinks not";
  const none = isAudit ? "Blind: what the model says is not shown" : suggestion === "hidden" ? "Pseudo-label hidden" : card.score !== null ? "The model claims nothing here" : card.run === null ? "No model has seen this yet" : `Run ${card.run} says nothing of this`;
  const score = card.score !== null && (isConflict || suggestion === "score") && lm.el("span", { class: "score", title: "how likely the model finds it" }, lm.el("meter", { min: 0, max: 1, value: card.score, "aria-label": "score" }), card.score.toFixed(2));
  find(".question").replaceChildren(`Is there ${article(card.name)} `, lm.el("em", {}, card.name), "?");
  find(".claim").replaceChildren(...[known, claim ? chip("pseudo", says) : lm.el("span", { class: "lm-soft" }, none), score].filter(Boolean));
  for (const [name, state] of [["yes", 1], ["no", -1]]) {
    const button = find(`.answer.${name}`);
    const effect = !claim ? "" : (isConflict ? ["dismisses the conflict", "changes what is known"] : ["rejects the pseudo-label", "accepts the pseudo-label"])[Number(state === claim)];
    const second = button.querySelector(".second");
    button.querySelector(".note").textContent = effect;
    [second.hidden, second.dataset.key] = [!claim, state === claim ? "accept" : "reject"];
    button.setAttribute("aria-label", `${name === "yes" ? `Yes, there is ${article(card.name)}` : "No, there is no"} ${card.name}${effect && `: ${effect}`}`);
  }
  find(".file").textContent = find(".file").title = card.file;
  lm.showKeys(element);
}

function drawFigures() {
  const working = times.filter((ms) => ms <= PAUSE_MS);
  const pace = working.length < 3 ? "–" : number(Math.round((60000 * working.length) / working.reduce((sum, ms) => sum + ms, 0)));
  for (const [name, text] of [["left", number(Math.max(total, cards.length))], ["answered", number(answered)], ["pace", pace]]) find(`.${name}`).textContent = text;
}

function drawEmpty() {
  const { title = "Nothing here", text = "", steps = [] } = empty ?? {};
  const follow = (step) => (step.action === "again" || step.action === "take_again" ? restart([], step.action === "take_again") : trigger("select", step));
  const buttons = steps.map((step) => lm.el("button", { type: "button", class: "lm-button", click: () => follow(step) }, step.label));
  find(".empty").replaceChildren(lm.el("h2", {}, title), lm.el("p", { class: "lm-soft" }, text), lm.el("div", {}, buttons));
}

function enlarge(on = !stage.classList.contains("enlarged")) {
  stage.classList.toggle("enlarged", on && cards.length > 0);
  const image = stage.querySelector("img");
  if (!on || !image || image.dataset.large) return;
  image.dataset.large = cards[0].large;
  const finer = lm.el("img", { src: cards[0].large });
  finer.decode().then(() => (image.src = finer.src), () => {}); // the smaller one stays
}

stage.addEventListener("pointermove", (event) => stage.style.setProperty("--at", `${event.offsetX}px ${event.offsetY}px`));
stage.addEventListener("click", () => enlarge());
function answer(name) {
  const card = cards[0];
  if (!card) return;
  const claim = shownClaim(card);
  if (!claim && ["accept", "reject"].includes(name)) return lm.say(`No pseudo-label is shown here: answer with ${lm.keyName(lm.keyOf("yes"))} or ${lm.keyName(lm.keyOf("no"))}`);
  const state = { yes: 1, no: -1, accept: claim, reject: -claim }[name] ?? card.state;
  const kind = ["unsure", "skip"].includes(name) ? name : card.state || !card.claim ? "set" : state === card.claim ? "accept" : "reject";
  const [ms, counts] = [Math.round(performance.now() - shownAt), name !== "skip"];
  take(card, counts);
  const id = box.add({ kind: "answer", image: card.image, name: card.name, cell: card.cell, state, answer: kind, score: card.score, run: card.run, ms, suggestion, counts, filters: props.value.filters });
  past = [...past, { id, card, counts }].slice(-MOST_UNDO);
  times = [...times, ms].slice(-PACE_WINDOW);
  undone = [];
  prefetch();
  refill();
}

/** Take a card away because it is answered. */
function take(card, counts) {
  cards = cards.filter((other) => other.cell !== card.cell);
  since.add(card.cell);
  if (counts) [answered, total] = [answered + 1, total - 1];
  draw();
}

/** Undo or redo: what this page did is shown at once; what came before it, when the server has answered. */
function turn(kind) {
  const entry = (kind === "undo" ? past : undone).pop();
  box.add(entry ? { kind, target: entry.id } : { kind });
  if (entry) turned(kind, entry);
}

function turned(kind, entry) {
  const { card, counts } = entry;
  (kind === "undo" ? undone : past).push(entry);
  if (kind === "redo") take(card, counts);
  else {
    cards = [card, ...cards.filter((other) => other.cell !== card.cell)];
    if (counts) [answered, total] = [Math.max(0, answered - 1), total + 1];
    draw();
  }
  refill();
}

/** The outbox has news: how many answers are unsent, what the server replied, or why it did not. */
function told(unsent, reply, error, content) {
  saved.dataset.kind = !unsent ? "saved" : error ? "waiting" : "sending";
  saved.textContent = unsent ? `${unsent} answer${unsent > 1 ? "s" : ""} unsent${error ? " · retrying" : ""}` : "All answers saved";
  if (error?.isFinal) {
    lm.complain(error);
    if (content.target || content.kind === "answer") [past, undone] = [[], []], restart();
  }
  if (!reply) return;
  if (reply.settled) lm.say(`Somebody answered “${content.name}” for that image before: it was left as it is`);
  if (reply.left_alone) lm.say(`${reply.left_alone} cells were changed again later: they stay as they are`);
  if (content.kind !== "answer" && !content.target) {
    if (reply.origin === origin && reply.cards.length) turned(content.kind, { id: reply.target, card: reply.cards[0], counts: reply.counts });
    else lm.say(reply.words), restart();
  } else if (content.kind === "undo" && cards[0]?.cell === reply.cards[0]?.cell) drawQuestion((cards[0] = reply.cards[0]));
  if (cards.length && reply.run !== run) restart(cards.slice(0, 1));
  if (!cards.length && !unsent) restart(); // the queue was asked while these answers were on their way
}

function suggest(value) {
  lm.remember("lm-suggestion", (suggestion = value));
  for (const radio of element.querySelectorAll(".suggestion input")) radio.checked = radio.value === value;
  if (cards.length) drawQuestion(cards[0]);
}

const actions = { undo: () => turn("undo"), redo: () => turn("redo"), enlarge: () => enlarge() };
for (const name of ["yes", "no", "unsure", "accept", "reject"]) actions[name] = () => answer(name);
if (isConflict || isAudit) for (const place of ["[data-action=skip]", "[data-action=next_class]", ".suggestion"]) find(place).remove();
else {
  actions.skip = () => answer("skip");
  actions.next_class = () => trigger("select", { action: "next_class", name: cards[0]?.name ?? "" });
  actions.suggestion = () => suggest(SUGGESTIONS[(SUGGESTIONS.indexOf(suggestion) + 1) % SUGGESTIONS.length]);
  find(".suggestion").addEventListener("change", (event) => (suggest(event.target.value), event.target.blur()));
  suggest(suggestion);
}
lm.keys(element, actions);
element.addEventListener("click", (event) => actions[event.target.closest("button")?.dataset.action]?.());
const release = () => (released = Promise.allSettled([loading]).then(() => server.release({ holder })).catch(() => {})); // leases end by themselves, too
addEventListener("pagehide", release);
const onResize = new ResizeObserver(() => {
  if (!isShown()) return isSeen && restart(cards.slice(0, 1));
  stream.style.setProperty("--top", `${Math.round(stream.getBoundingClientRect().top + scrollY)}px`);
  if (!isSeen && asked) refill();
});
for (const one of [document.body, stream]) onResize.observe(one);
function adopt() {
  const now = JSON.stringify(props.value.filters);
  if (props.value.address && isShown()) lm.address("review", props.value.address);
  restart(now === asked ? cards.slice(0, 1) : []);
  asked = now;
}
watch("value", adopt);
const wished = Object.fromEntries(new URLSearchParams(location.search)); // what the server is about to ask for, if it is other than what is asked
if (wished.tab !== "review" || (wished.screen ?? "stream") !== origin || Object.entries(props.value.filters).every(([name, value]) => (wished[name] ?? value) === value)) adopt();
