import { type ReactNode, useCallback, useState } from "react";
import { type Location, type Navigate, Router } from "../ui/router";

/** A router without the browser's history: `at` is the first address. */
export function MemoryRouter({ at = "/", state = null, children }: MemoryRouterProps) {
  const [location, setLocation] = useState(() => locationOf(at, state));
  const navigate: Navigate = useCallback((to, options) => setLocation(locationOf(to, options?.state)), []);
  return (
    <Router location={location} navigate={navigate}>
      {children}
    </Router>
  );
}

interface MemoryRouterProps {
  at?: string;
  state?: unknown;
  children: ReactNode;
}

let visits = 0;

function locationOf(to: string, state: unknown = null): Location {
  const { pathname, search, hash } = new URL(to, "http://chat.test");
  visits += 1;
  return { pathname, search, hash, state, key: String(visits) };
}
