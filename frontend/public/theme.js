// Runs before the first paint, so that the other theme never flashes, nor messages that will not stay where they are.
try {
  const theme = localStorage.getItem("gapless.theme");
  const isReturning = localStorage.getItem("gapless.visited") !== null;
  document.documentElement.classList.add("scripted", ...(isReturning ? ["returning"] : []));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be blocked; then the theme of the system is used.
  document.documentElement.classList.add("scripted");
}
