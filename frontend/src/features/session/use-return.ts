import { useLocation } from "../../ui/router";

/** Path to return to after signing in. Only paths of this app are accepted. */
export function useReturnPath(): string {
  const from: unknown = useLocation().state?.from;
  return typeof from === "string" && /^\/(?!\/)/.test(from) ? from : "/";
}
