// The editor of recipes: line numbers, faults at their lines, and the draft in the address behind the #, which no
// browser sends anywhere.
import { KeptState } from "./kept_state.js";

const text = document.getElementById("text");

if (text) {
  const gutter = document.getElementById("gutter"), faults = document.getElementById("faults");

  const numberLines = () => {
    const faulty = new Set([...faults.querySelectorAll("ol [data-line]")].map((each) => Number(each.dataset.line)));
    const numbers = text.value.split("\n").map((_, i) => {
      const number = document.createElement("span");
      number.textContent = i + 1;
      number.classList.toggle("fault", faulty.has(i + 1));
      return number;
    });
    gutter.replaceChildren(...numbers);
    gutter.scrollTop = text.scrollTop;
    text.toggleAttribute("aria-invalid", faulty.size > 0);
    if (faulty.size) text.setAttribute("aria-invalid", "true");
  };

  const goTo = (line, column) => {
    const before = text.value.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
    text.focus();
    text.setSelectionRange(at, at);
    text.scrollTop = Math.max(0, (text.scrollHeight / text.value.split("\n").length) * (line - 5));
  };

  const draft = new KeptState("#draft=", () => text.value);
  text.addEventListener("input", () => {
    numberLines();
    draft.change();
  });
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
    const line = text.value.slice(0, text.selectionStart).split("\n").at(-1);
    event.preventDefault();
    document.execCommand("insertText", false, `\n${line.match(/^ */)[0]}`); // the one way that can be undone
  });
  faults.addEventListener("click", (event) => {
    const place = event.target.closest("[data-line]");
    if (place) goTo(Number(place.dataset.line), Number(place.dataset.column));
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.target === faults) numberLines();
    if (event.target.id === "saved") draft.drop();
  });
  text.value = draft.read() ?? text.value;
  numberLines();
}
