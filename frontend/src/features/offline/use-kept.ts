import { useEffect } from "react";
import { loadChunk } from "../../browser/chunks";
import { useChat } from "../../realtime/store";
import { useViewer } from "../session/use-session";
import { forgetOtherReaders } from "./readers";

/** Time after the start of the app until it is prepared for one without a network: first comes the page itself. */
const SETTLED_MS = 4_000;

let isPrepared = false;

/** Opens the rooms that were kept while the server cannot be reached. Mounted once, by the shell. */
export function useKept(isUnreachable: boolean): void {
  const isEmpty = useChat((state) => state.rooms === null);
  const viewerId = useViewer()?.id;
  useEffect(() => {
    if (isUnreachable && isEmpty)
      void loadChunk(() => import("./restore")).then((module) => module.restoreKept());
  }, [isUnreachable, isEmpty]);

  // When the app starts, too: the session may have ended while it was closed.
  // biome-ignore lint/correctness/useExhaustiveDependencies: signing in or out changes the reader
  useEffect(() => {
    if ("caches" in window) forgetOtherReaders().catch(() => {});
  }, [viewerId]);

  useEffect(() => {
    if (isEmpty || isPrepared || !import.meta.env.PROD) return;
    const timer = setTimeout(() => {
      isPrepared = true;
      void loadChunk(() => import("./start")).then((module) => module.startOffline());
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [isEmpty]);
}
