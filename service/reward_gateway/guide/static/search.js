// The search: its engine and its index are loaded when the box is first used, as scripts, so that a page which was opened
// from a file finds as one that was served.
const box = document.getElementById("search");
const list = box.parentElement.querySelector("ol"), status = box.parentElement.querySelector("[role=status]");
const MOST = 12, AROUND = 70;

const loadScript = (src) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  Object.assign(script, { src, onload: resolve, onerror: () => reject(new Error(src)) });
  document.head.append(script);
});

let loading;
const load = () => {
  loading ??= Promise.all([loadScript(box.dataset.engine), loadScript(box.dataset.index)]).then(() => {
    const engine = new MiniSearch({
      fields: ["title", "where", "text"],
      storeFields: ["title", "where", "link", "text"],
      tokenize: (text) => text.split(/[^\p{L}\p{N}]+/u).filter(Boolean), // of `--keep-samples` each word is found
      searchOptions: { prefix: true, fuzzy: (term) => (term.length > 4 ? 0.2 : 0), maxFuzzy: 1, combineWith: "AND", boost: { title: 4, where: 2 } },
    });
    engine.addAll(window.rewardGatewayGuide.map(([title, where, link, text], id) => ({ id, title, where, link, text })));
    return engine;
  });
  return loading;
};

const mark = (text, words) => {
  const parts = words.length ? text.split(new RegExp(`(${words.map(RegExp.escape ?? quote).join("|")})`, "iu")) : [text];
  return parts.map((part, i) => {
    if (i % 2 === 0) return document.createTextNode(part);
    const marked = document.createElement("mark");
    marked.textContent = part;
    return marked;
  });
};
const quote = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const cut = (text, words) => {
  const low = text.toLowerCase();
  const found = Math.min(...words.map((word) => low.indexOf(word.toLowerCase())).filter((at) => at >= 0), text.length);
  const start = found === text.length ? 0 : Math.max(0, text.lastIndexOf(" ", found - AROUND) + 1);
  return `${start ? "… " : ""}${text.slice(start, start + 3 * AROUND)}${start + 3 * AROUND < text.length ? " …" : ""}`;
};

const draw = ({ title, where, link, text, terms }) => {
  const item = document.createElement("li"), a = document.createElement("a"), place = document.createElement("small");
  const about = document.createElement("p"), name = document.createElement("span");
  const href = link.startsWith("/") ? link : box.dataset.root + link;
  a.href = href;
  name.append(...mark(title, terms));
  place.textContent = where;
  about.append(...mark(cut(text, terms), terms));
  a.append(place, name, about);
  item.append(a);
  return item;
};

const show = (items, said) => {
  list.replaceChildren(...items);
  list.hidden = !items.length;
  status.textContent = said;
};

const search = async () => {
  const asked = box.value.trim();
  if (!asked) return show([], "");
  const engine = await load();
  if (box.value.trim() !== asked) return undefined;
  let found = engine.search(asked);
  if (!found.length) found = engine.search(asked, { combineWith: "OR" });
  if (found.length) return show(found.slice(0, MOST).map(draw), `${found.length} results`);
  const none = document.createElement("li");
  none.className = "none";
  none.textContent = "Nothing found";
  return show([none], "Nothing found");
};

const close = () => show([], "");

box.addEventListener("focus", () => load().catch(() => { loading = undefined; }));
box.addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  }
});
box.parentElement.addEventListener("keydown", (event) => {
  const links = [...list.querySelectorAll("a")], at = links.indexOf(document.activeElement);
  if (event.key === "Escape") {
    close();
    box.focus();
  } else if (event.key === "ArrowDown" && links.length) {
    event.preventDefault();
    links[Math.min(at + 1, links.length - 1)].focus();
  } else if (event.key === "ArrowUp" && links.length) {
    event.preventDefault();
    (at > 0 ? links[at - 1] : box).focus();
  } else if (event.key === "Enter" && document.activeElement === box && links.length) {
    links[0].click();
  }
});
document.addEventListener("pointerdown", (event) => { if (!box.parentElement.contains(event.target)) close(); });
