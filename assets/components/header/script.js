element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches(".theme")) lm.switchTheme();
  if (button?.matches(".help")) document.dispatchEvent(new Event("lm-help"));
  if (button?.matches(".who")) {
    const name = prompt("Your name. It stands beside each of your decisions, and undo follows it.", button.textContent);
    if (name === null) return;
    document.cookie = `lm_person=${encodeURIComponent(name.trim())}; path=/; max-age=31536000; samesite=strict`;
    location.reload();
  }
});
