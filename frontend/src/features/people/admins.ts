// Those people of the open rooms who are admins: they have a shield.

import { useSyncExternalStore } from "react";
import { Observable } from "../../browser/observable";

const admins = new Observable<ReadonlySet<string>>(new Set());

/** Notes who of the people in a list is an admin. Servers of an earlier release do not say so. */
export function noteAdmins(seen: readonly string[], found: readonly string[] | undefined): void {
  if (!found) return;
  const next = new Set(admins.current);
  for (const id of seen) next.delete(id);
  for (const id of found) next.add(id);
  const isSame = next.size === admins.current.size && [...next].every((id) => admins.current.has(id));
  if (!isSame) admins.set(next);
}

export function useIsAdmin(id: string): boolean {
  return useSyncExternalStore(admins.subscribe, () => admins.current.has(id));
}
