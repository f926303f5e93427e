import { useLocation } from "react-router";

/** Where to go after signing in: back to where the invitation stood. Only paths of ours are trusted. */
export function useReturnPath(): string {
  const from: unknown = useLocation().state?.from;
  return typeof from === "string" && /^\/(?!\/)/.test(from) ? from : "/";
}
