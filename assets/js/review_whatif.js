// What training would see if it were started now, and what the last run changed.

const SOURCES = [
  ["imported", "imported"],
  ["human", "by people"],
  ["accepted", "accepted pseudo-labels"],
  ["open pseudo-label", "open pseudo-labels"],
];
const CHANGES = [
  ["new", "New", "proposed now and not before"],
  ["withdrawn", "Withdrawn", "proposed before and not now"],
  ["flipped", "Flipped", "proposed with the other sign"],
];

const sum = (counts) => counts.reduce((total, count) => total + count, 0);

export class WhatIf {
  constructor(desk, root) {
    this.desk = desk;
    this.context = desk.context;
    this.root = root;
    this.order = "name";
    this.reload = this.context.debounce(() => this.load(), 400);
  }

  show() {
    this.load();
  }

  runChanged() {
    if (this.desk.current === "what-if") this.load();
  }

  labelsChanged() {
    this.reload();
  }

  async load() {
    const { api, toastError } = this.context;
    try {
      this.reply = await api.get("/api/review/what-if");
    } catch (error) {
      toastError(error);
      return;
    }
    this.paint();
  }

  paint() {
    const { el } = this.context;
    this.root.replaceChildren(
      el("div", { class: "lm-whatif" }, el("div", { class: "lm-whatif-cards" }, this.trainCard(), this.blendCard(), this.runCard()), this.missing(), this.table()),
    );
  }

  trainCard() {
    const { el, format, address } = this.context;
    const { set, since, run } = this.reply;
    const known = ["positive", "negative"].map((sign) => sum(SOURCES.slice(0, 3).flatMap(([key]) => set[sign][key])));
    const news = since ? sum(since.new_positive) + sum(since.new_negative) : 0;
    const [turned, forgotten] = since ? [sum(since.turned), sum(since.forgotten)] : [0, 0];
    const changes = [news && `${format.plural(news, "cell")} more than run ${run} learned from`, forgotten && `${format.number(forgotten)} unknown again`, turned && `${format.number(turned)} turned`].filter(Boolean);
    const words = !since ? "No run has learned from these labels yet." : changes.length ? `${changes.join(", ")}.` : `Nothing new since run ${run}.`;
    return el(
      "section",
      { class: "lm-card lm-whatif-card" },
      el("h2", { class: "lm-h" }, "If you train now"),
      el("p", { class: "lm-big" }, format.number(known[0] + known[1]), el("span", {}, " known cells")),
      el("p", {}, this.context.stateMark("positive"), ` ${format.number(known[0])} positive  `, this.context.stateMark("negative"), ` ${format.number(known[1])} negative`),
      el("p", { class: "lm-soft" }, words),
      el("a", { class: "lm-link", href: address.of("train") }, "Go to training"),
    );
  }

  blendCard() {
    const { el, format } = this.context;
    const { blends, run } = this.reply;
    const settled = blends ? sum(blends.settled) : 0;
    const names = this.reply.class_names.length;
    const share = (known) => (blends && blends.drawn ? sum(known) / (blends.drawn * names) : 0);
    return el(
      "section",
      { class: "lm-card lm-whatif-card" },
      el("h2", { class: "lm-h" }, "Blends"),
      el("p", { class: "lm-big" }, blends ? format.number(Math.round(settled)) : "–", el("span", {}, " labels turn from open to known")),
      el("p", { class: "lm-soft" }, blends ? `In one epoch of ${format.number(Math.round(blends.drawn))} blends, by the answers since run ${run}. Known share: ${format.percent(share(blends.known_before))} then, ${format.percent(share(blends.known_after))} now.` : "Counted against the labels of the last run, once there is one."),
    );
  }

  runCard() {
    const { el, format } = this.context;
    const { changes, run, previous_run: previous } = this.reply;
    if (!changes) {
      return el("section", { class: "lm-card lm-whatif-card" }, el("h2", { class: "lm-h" }, "What the last run changed"), el("p", { class: "lm-soft" }, "This compares two finished runs."));
    }
    return el(
      "section",
      { class: "lm-card lm-whatif-card" },
      el("h2", { class: "lm-h" }, `Run ${run} against run ${previous}`),
      el(
        "div",
        { class: "lm-whatif-queues" },
        CHANGES.map(([key, title, words]) => {
          const count = sum(changes[key]);
          return el(
            "button",
            { type: "button", class: "lm-whatif-queue", disabled: !count, title: `Pseudo-labels ${words}`, onclick: () => this.desk.setParams({ screen: "stream", scope: key, order: "confident", class: "", sign: "", band: "", split: "", run: "" }) },
            el("b", {}, format.number(count)),
            el("span", {}, title),
          );
        }),
      ),
      el("p", { class: "lm-soft" }, "Each opens as a queue in Stream."),
    );
  }

  missing() {
    const { el } = this.context;
    const { set } = this.reply;
    const parts = [];
    const say = (names, words, sign) => {
      if (!names.length) return;
      parts.push(
        el(
          "p",
          { class: "lm-whatif-warning" },
          this.context.icon("warning"),
          ` ${names.length === 1 ? "One class has" : `${names.length} classes have`} no known ${words}: `,
          ...names.slice(0, 8).map((name) => el("button", { type: "button", class: "lm-link", onclick: () => this.desk.setParams({ screen: "stream", class: name, sign, scope: "open", order: "confident", band: "", split: "", run: "" }) }, name)),
          names.length > 8 ? ` and ${names.length - 8} more` : "",
        ),
      );
    };
    say(set.without_positive, "positive and cannot be learned", "1");
    say(set.without_negative, "negative", "-1");
    return el("div", {}, parts);
  }

  table() {
    const { el, format } = this.context;
    const { set, class_names: names, unknown, since, blends } = this.reply;
    const columns = [
      ...["positive", "negative"].flatMap((sign) => SOURCES.map(([key, words]) => [`${sign} ${words}`, sign, (place) => set[sign][key][place], words])),
    ];
    const last = [
      ["unknown", (place) => unknown[place]],
      since && ["new since the run", (place) => since.new_positive[place] + since.new_negative[place]],
      blends && ["blend labels settled", (place) => Math.round(blends.settled[place])],
    ].filter(Boolean);
    const head = el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { rowspan: "2", scope: "col" }, "Class"),
        ...[["positive", 1], ["negative", -1]].map(([word, sign]) => el("th", { colspan: "4", scope: "colgroup" }, this.context.stateMark(sign), ` ${word}`)),
        last.map(([words]) => el("th", { rowspan: "2", scope: "col", class: "lm-number" }, words)),
      ),
      el("tr", {}, columns.map(([, , , words]) => el("th", { scope: "col", class: "lm-number" }, words))),
    );
    const figure = (count) => el("td", { class: count ? "lm-number" : "lm-number lm-zero" }, format.number(count));
    const body = names.map((name, place) =>
      el("tr", {}, el("th", { scope: "row" }, name), columns.map(([, , read]) => figure(read(place))), last.map(([, read]) => figure(read(place)))),
    );
    return el("div", { class: "lm-table-scroll", tabindex: "0", role: "region", "aria-label": "Cells by class and source" }, el("table", { class: "lm-table lm-whatif-table" }, head, el("tbody", {}, body)));
  }
}
