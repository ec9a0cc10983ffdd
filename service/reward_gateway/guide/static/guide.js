// Copying, the drawer of sections on narrow windows, and which heading is being read.
if (navigator.clipboard) document.documentElement.classList.add("can-copy");
for (const button of document.querySelectorAll("button.copy")) button.hidden = false;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent.trimEnd());
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1200);
});

const menu = document.querySelector("button.menu"), sections = document.getElementById("sections");
const openSections = (open) => {
  sections.classList.toggle("open", open);
  menu.setAttribute("aria-expanded", String(open));
  if (open) (sections.querySelector("[aria-current]") ?? sections.querySelector("a")).focus();
};
menu.addEventListener("click", () => openSections(!sections.classList.contains("open")));
sections.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !sections.classList.contains("open")) return;
  openSections(false);
  menu.focus();
});
const here = sections.querySelector("[aria-current]");
if (here && here.offsetParent) sections.scrollTop = here.offsetTop - sections.clientHeight / 3;

const links = new Map([...document.querySelectorAll(".headings a")].map((a) => [a.hash.slice(1), a]));
if (links.size) {
  const headings = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const markRead = () => {
    const top = headings.findLast((heading) => heading.getBoundingClientRect().top < 120) ?? headings[0];
    for (const [id, link] of links) link.toggleAttribute("aria-current", id === top.id);
    links.get(top.id).setAttribute("aria-current", "location");
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; markRead(); });
  }, { passive: true });
  markRead();
}
