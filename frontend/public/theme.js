// Runs before the first paint, so that the other theme never flashes.
try {
  const theme = localStorage.getItem("gapless.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be blocked; then the theme of the system is used.
}
