// Reads samples by keyboard: j and k go on and back, g, b and h mark, u takes the mark away.
const MARKS = { g: "good", b: "bad", h: "hack" };
const samples = () => [...document.querySelectorAll("#samples > article")];
const current = () => document.activeElement?.closest?.("#samples > article");

function go(step) {
  const all = samples();
  const place = all.indexOf(current());
  const next = all[place < 0 ? 0 : Math.min(all.length - 1, Math.max(0, place + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "j" || event.key === "k") {
    go(event.key === "j" ? 1 : -1);
    event.preventDefault();
    return;
  }
  const pressed = current()?.querySelector('[aria-pressed="true"]');
  const wanted = event.key === "u" ? pressed : current()?.querySelector(`[data-mark="${MARKS[event.key]}"]`);
  if (wanted && (event.key === "u" || wanted !== pressed)) {
    wanted.click();
    event.preventDefault();
  }
});

// A marked sample is drawn anew: it keeps the focus, and what is said of it is said aloud.
document.addEventListener("htmx:beforeSwap", (event) => {
  const sample = event.detail.target.closest("article");
  if (!sample || !event.detail.isError) return;
  event.detail.shouldSwap = false;
  document.getElementById("marked").textContent = "That did not work: load the page again.";
  document.getElementById("marked").classList.remove("hidden");
});
document.addEventListener("htmx:afterSwap", (event) => {
  const id = event.detail.requestConfig?.parameters?.id ?? event.detail.requestConfig?.formData?.get("id");
  const sample = id && document.getElementById(`sample-${id}`);
  if (!sample) return;
  sample.focus();
  document.getElementById("marked").textContent = sample.getAttribute("aria-label");
});
