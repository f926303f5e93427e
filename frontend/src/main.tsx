import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connectClient } from "./api/client";
import { App } from "./app/App";
import { takeOver } from "./app/early-page";
import "./app/theme.css";
import { session } from "./features/session/session";

connectClient(session);

takeOver();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
