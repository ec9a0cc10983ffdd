// Try: its texts stay in the address behind the #, which no browser sends anywhere; responses are added and removed.
import { KeptState } from "./kept_state.js";

const form = document.getElementById("trial");
const FIELDS = ["recipe", "other", "prompt", "reference", "more"];

function shownResponses() {
  return [...form.querySelectorAll(".response:not([hidden])")];
}

function tellState() {
  const state = { responses: shownResponses().map((each) => each.querySelector("textarea").value) };
  for (const name of FIELDS) state[name] = form.elements[name].value;
  state.prompt_is = form.elements.prompt_is.value;
  return JSON.stringify(state);
}

const kept = new KeptState("#", tellState);

function showState() {
  let state;
  try {
    state = JSON.parse(kept.read());
  } catch {
    return;
  }
  if (!Array.isArray(state?.responses)) return;
  for (const name of FIELDS) if (typeof state[name] === "string") form.elements[name].value = state[name];
  if (typeof state.prompt_is === "string") form.elements.prompt_is.value = state.prompt_is;
  if (state.more) form.querySelector("details").open = true;
  [...form.querySelectorAll(".response")].forEach((each, i) => {
    each.hidden = i > 0 && i >= state.responses.length;
    each.querySelector("textarea").value = state.responses[i] ?? "";
  });
}

function updateButtons() {
  form.querySelector("#add-response").disabled = form.querySelector(".response[hidden]") === null;
}

form.addEventListener("click", (event) => {
  if (event.target.id === "add-response") {
    const next = form.querySelector(".response[hidden]");
    next.hidden = false;
    next.querySelector("textarea").focus();
  } else if (event.target.classList.contains("remove")) {
    const texts = shownResponses().map((each) => each.querySelector("textarea"));
    const gone = texts.indexOf(event.target.closest(".response").querySelector("textarea"));
    for (let i = gone; i < texts.length - 1; i++) texts[i].value = texts[i + 1].value;
    texts.at(-1).value = "";
    texts.at(-1).closest(".response").hidden = true;
    texts[gone - 1].focus();
  } else {
    return;
  }
  updateButtons();
  kept.change();
});
form.addEventListener("input", () => kept.change());
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
form.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "sample") kept.change();
  updateButtons();
});
for (const kind of ["dragenter", "dragover"]) {
  form.addEventListener(kind, (event) => event.target.closest(".drop")?.classList.add("over"));
}
for (const kind of ["dragleave", "drop"]) {
  form.addEventListener(kind, (event) => event.target.closest(".drop")?.classList.remove("over"));
}
showState();
updateButtons();
