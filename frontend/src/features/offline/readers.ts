import { session } from "../session/session";

const PREFIX = "gapless.rooms.";

/** Name of the cache of the present reader's rooms: each reader has one, deleted when they sign out. */
export const ownCache = () => PREFIX + (session.userId ?? "guest");

/** Deletes what was kept for anybody but the present reader. */
export async function forgetOtherReaders(): Promise<void> {
  const own = ownCache();
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== own);
  await Promise.all(others.map((name) => caches.delete(name)));
}
