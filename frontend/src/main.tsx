import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connectClient } from "./api/client";
import { App } from "./app/App";
import "./app/theme.css";
import { session } from "./features/session/session";

connectClient(session);

// A page that was open while a new version was deployed asks for chunks that are no more: loading it again, once,
// gets the new ones.
window.addEventListener("vite:preloadError", () => {
  const isSecondTime = Date.now() - Number(sessionStorage.getItem("gapless.reloaded")) < 30_000;
  if (isSecondTime) return;
  sessionStorage.setItem("gapless.reloaded", String(Date.now()));
  window.location.reload();
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
