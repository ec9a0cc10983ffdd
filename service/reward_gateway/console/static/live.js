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

if (live) {
  const source = new EventSource(live.dataset.events);
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
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new ResizeObserver(() => requestAnimationFrame(() => {
    for (const chart of charts) {
      const place = document.getElementById(chart.id), plot = plots.get(chart.id);
      if (plot && plot.width !== place.clientWidth) plot.setSize(size(place, chart));
    }
  })).observe(live);
}
