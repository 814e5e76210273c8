// A blend as one PNG: picture, sources and label table, drawn here so that every script and emoji is set as on the page.

const WIDTH = 1120;
const MARGIN = 32;
const IMAGE = 448;
const ROW = 22;
const MOST_ROWS = 120;
const MARKS = { 1: "●", 0: "·", "-1": "○" };
const WORDS = { 1: "positive", 0: "unknown", "-1": "negative" };

async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--lm-${name}`).trim();
  return { bg: get("surface"), text: get("text"), quiet: get("text-2"), line: get("line"), 1: get("positive"), 0: get("unknown"), "-1": get("negative") };
}

/** Cut a text so that it fits, with an ellipsis. */
function cut(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let short = [...text];
  while (short.length && pen.measureText(`${short.join("")}…`).width > width) short = short.slice(0, -1);
  return `${short.join("")}…`;
}

/** The rows that are drawn: what is decided first, open classes as far as there is room. */
export function exportRows(rows, most = MOST_ROWS) {
  const decided = rows.filter((row) => row.result !== 0).sort((a, b) => b.result - a.result);
  const open = rows.filter((row) => row.result === 0);
  return [...decided, ...open].slice(0, most);
}

function drawTable(pen, blend, rows, paint, top) {
  const numSources = blend.sources.length;
  const at = { name: MARGIN, states: MARGIN + 190, result: MARGIN + 200 + numSources * 30, reason: MARGIN + 310 + numSources * 30 };
  pen.font = "600 12px system-ui, sans-serif";
  pen.fillStyle = paint.quiet;
  pen.fillText("Class", at.name, top);
  for (let i = 0; i < numSources; i += 1) pen.fillText(String(i + 1), at.states + i * 30, top);
  pen.fillText("Blend", at.result, top);
  pen.fillText("Why", at.reason, top);
  rows.forEach((row, index) => {
    const y = top + (index + 1) * ROW;
    pen.fillStyle = paint.line;
    pen.fillRect(MARGIN, y - 15, WIDTH - 2 * MARGIN, 1);
    pen.font = "13px system-ui, sans-serif";
    pen.fillStyle = paint.text;
    pen.fillText(cut(pen, row.class, 180), at.name, y);
    row.states.forEach((state, i) => {
      pen.fillStyle = paint[state];
      pen.fillText(MARKS[state], at.states + i * 30, y);
    });
    pen.fillStyle = paint[row.result];
    pen.fillText(`${MARKS[row.result]} ${WORDS[row.result]}`, at.result, y);
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = paint.quiet;
    pen.fillText(cut(pen, row.reason.replace(/^\w+: /, ""), WIDTH - MARGIN - at.reason), at.reason, y);
  });
}

function drawSources(pen, blend, pictures, paint) {
  const left = MARGIN + IMAGE + 32;
  const gap = (IMAGE + 8) / Math.max(3, blend.sources.length);
  const side = gap - 8;
  blend.sources.forEach((source, i) => {
    const y = MARGIN + 44 + i * gap;
    const scale = Math.min((side * 1.4) / pictures[i].width, side / pictures[i].height);
    pen.drawImage(pictures[i], left, y, pictures[i].width * scale, pictures[i].height * scale);
    const x = left + side * 1.4 + 16;
    pen.font = "600 14px system-ui, sans-serif";
    pen.fillStyle = paint.text;
    pen.fillText(`${i + 1}`, x, y + 16);
    pen.font = "13px system-ui, sans-serif";
    pen.fillText(cut(pen, source.path, WIDTH - MARGIN - x - 20), x + 20, y + 16);
    pen.fillStyle = paint.quiet;
    pen.fillText(`${source.known} of ${blend.counts.all} classes known`, x + 20, y + 36);
  });
}

/** Draw everything on one canvas. */
export function drawPicture(blend, picture, pictures, title) {
  const rows = exportRows(blend.rows);
  const canvas = document.createElement("canvas");
  const scale = 2;
  const tableTop = MARGIN + 44 + IMAGE + 40;
  const height = tableTop + (rows.length + 1) * ROW + MARGIN + 16;
  canvas.width = WIDTH * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  const paint = colours();
  pen.scale(scale, scale);
  pen.fillStyle = paint.bg;
  pen.fillRect(0, 0, WIDTH, height);
  pen.fillStyle = paint.text;
  pen.font = "600 20px system-ui, sans-serif";
  pen.fillText(cut(pen, title, WIDTH - 2 * MARGIN), MARGIN, MARGIN + 16);
  pen.drawImage(picture, MARGIN, MARGIN + 44, IMAGE, IMAGE);
  drawSources(pen, blend, pictures, paint);
  drawTable(pen, blend, rows, paint, tableTop);
  const left = blend.rows.length - rows.length;
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = paint.quiet;
  const rest = left > 0 ? `and ${left} more classes · ` : "";
  pen.fillText(`${rest}${blend.counts.positive} positive, ${blend.counts.negative} negative, ${blend.counts.open} open`, MARGIN, height - MARGIN + 8);
  return canvas;
}

export async function exportPicture(context, blend, url) {
  const [picture, ...pictures] = await Promise.all([loaded(url), ...blend.sources.map((source) => loaded(context.thumb(source.id, 384)))]);
  const of = blend.seed === null || blend.seed === undefined ? "" : ` · seed ${blend.seed}`;
  const canvas = drawPicture(blend, picture, pictures, `${context.session.name ?? "LogicMix"}: the OR of ${blend.sources.length} images${of}`);
  const content = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = `blend-${blend.seed ?? blend.ids.map((id) => id.slice(0, 6)).join("-")}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  context.toast(`Saved as ${link.download}.`, { kind: "good" });
}
