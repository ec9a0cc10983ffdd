// Buttons that copy the text before them. Browsers allow it only over TLS and on this machine.
if (navigator.clipboard) document.documentElement.classList.add("can-copy");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const text = button.parentElement.querySelector("pre");
  await navigator.clipboard.writeText(text.textContent);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1200);
});
