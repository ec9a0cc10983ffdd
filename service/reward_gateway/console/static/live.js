// Keeps the figures and charts of the Live page as the stream of its run says.
import { draw, size } from "./plots.js";

const live = document.getElementById("live");
const status = document.getElementById("connection");
const plots = new Map();
let charts = [];

function drawAll() {
  for (const chart of charts) {
    plots.get(chart.id)?.destroy();
    plots.set(chart.id, draw(chart));
  }
}

function show(told) {
  // A recipe or a chart that is new has no place yet.
  if (told.some((chart) => !document.getElementById(chart.id))) {
    location.reload();
    return;
  }
  charts = told;
  drawAll();
}

// The window of one's own: its ends are in the fragment, as steps or as seconds since 1970.
const form = document.getElementById("window");
const isTime = form?.dataset.unit === "time";
const toNumber = (text) => (isTime ? Date.parse(`${text}Z`) / 1000 : Number(text));
const toText = (number) => (isTime ? new Date(1000 * number).toISOString().slice(0, 16) : String(number));

function readWindow() {
  const given = new URLSearchParams(location.hash.slice(1));
  const ends = ["from", "to"].map((name) => Number(given.get(name) || NaN));
  return ends.every(Number.isSafeInteger) && ends[0] <= ends[1] ? ends : null;
}

let source = null;

function follow() {
  const chosen = readWindow();
  form.querySelector("[type=reset]").hidden = !chosen;
  if (chosen) ["from", "to"].forEach((name, i) => { form.elements[name].value = toText(chosen[i]); });
  else form.reset();
  source?.close();
  source = new EventSource(live.dataset.events + (chosen ? `&from=${chosen[0]}&to=${chosen[1]}` : ""));
  source.addEventListener("figures", (event) => {
    const place = document.getElementById("figures");
    const open = [...place.querySelectorAll("details")].map((each) => each.open);
    place.innerHTML = event.data;
    place.querySelectorAll("details").forEach((each, i) => { each.open = open[i] ?? false; });
  });
  source.addEventListener("charts", (event) => {
    show(JSON.parse(event.data));
    live.dataset.drawn = Number(live.dataset.drawn ?? 0) + 1;
  });
  source.addEventListener("open", () => { status.textContent = "Live: looked at every second."; });
  source.addEventListener("error", () => { status.textContent = "The connection is gone; it is being opened again."; });
}

if (live) {
  follow();
  addEventListener("hashchange", follow);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { from, to } = form.elements, ends = [from, to].map((field) => toNumber(field.value));
    to.setCustomValidity(ends[0] <= ends[1] ? "" : "The window ends before it begins.");
    if (form.reportValidity()) location.hash = `from=${ends[0]}&to=${ends[1]}`;
  });
  form.addEventListener("input", () => form.elements.to.setCustomValidity(""));
  form.querySelector("[type=reset]").addEventListener("click", () => { location.hash = ""; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new ResizeObserver(() => requestAnimationFrame(() => {
    for (const chart of charts) {
      const place = document.getElementById(chart.id), plot = plots.get(chart.id);
      if (plot && plot.width !== place.clientWidth) plot.setSize(size(place, chart));
    }
  })).observe(live);
}
