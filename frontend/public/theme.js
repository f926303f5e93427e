// Runs before the first paint, so that a chosen theme never flashes through the other one.
try {
  const theme = localStorage.getItem("gapless.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system decides.
}
