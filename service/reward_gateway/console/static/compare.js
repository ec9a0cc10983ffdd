// Compare: sends the form, shows the events of its answer as they come, and draws the charts. Leaving cancels the work.
import { draw, size } from "./plots.js";

const form = document.getElementById("compare");
const result = document.getElementById("result");
const status = document.getElementById("status");
const bar = form.querySelector("progress");
const start = document.getElementById("start");
const cancel = document.getElementById("cancel");
const plots = new Map();
let charts = [];
let running = null;

function drawAll() {
  plots.forEach((plot) => plot.destroy());
  plots.clear();
  for (const chart of charts) if (document.getElementById(chart.id)) plots.set(chart.id, draw(chart));
}

function show(name, data) {
  if (name === "progress") {
    const { done, of, say } = JSON.parse(data);
    bar.max = of;
    bar.value = done;
    status.textContent = say;
  } else if (name === "charts") {
    charts = JSON.parse(data);
    drawAll();
  } else {
    plots.forEach((plot) => plot.destroy());
    plots.clear();
    result.innerHTML = data;
    htmx.process(result);
  }
  return name;
}

async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      if (name) yield [name, lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n")];
    }
  }
}

function wait(waits) {
  start.disabled = waits;
  cancel.hidden = bar.hidden = !waits;
  if (waits) bar.removeAttribute("value");
  form.setAttribute("aria-busy", waits);
}

function fail(text) {
  const note = document.createElement("p");
  note.className = "notice error";
  note.setAttribute("role", "alert");
  note.textContent = text;
  result.replaceChildren(note);
}

async function compare(signal) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true" };
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers, signal });
  const login = answer.headers.get("hx-redirect");
  if (login) {
    location.assign(login);
    return "gone";
  }
  if (!answer.ok) return show("result", await answer.text());
  let last = "";
  for await (const [name, data] of readEvents(answer.body)) last = show(name, data);
  return last;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  wait(true);
  status.textContent = "Sending the file …";
  try {
    const last = await compare(signal);
    status.textContent = "";
    if (!last || last === "progress") fail("The connection ended before the comparison did: try again.");
  } catch (error) {
    status.textContent = signal.aborted ? "Cancelled." : "";
    if (!signal.aborted) fail("The gateway did not answer: try again.");
  }
  wait(false);
});
cancel.addEventListener("click", () => running?.abort());

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  form.addEventListener(name, (event) => {
    event.preventDefault();
    form.querySelector(".drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) form.elements.file.files = event.dataTransfer.files;
  });
}

// What an experiment shows comes by htmx, with its charts beside it.
document.body.addEventListener("htmx:afterSettle", (event) => {
  const told = event.target.querySelector?.("[data-charts]");
  if (told) show("charts", told.dataset.charts);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
new ResizeObserver(() => requestAnimationFrame(() => {
  for (const chart of charts) {
    const place = document.getElementById(chart.id), plot = plots.get(chart.id);
    if (plot && place && plot.width !== place.clientWidth) plot.setSize(size(place, chart));
  }
})).observe(result);
