// The editor of messages, loaded once somebody is signed in, because guests edit nothing. It must be there when an edit
// begins: keys that are pressed before would go to the composer.

import { lazy } from "react";
import { loadChunk } from "../../browser/chunks";
import type { MessageEditor } from "./MessageEditor";

let loaded: typeof MessageEditor | null = null;

export async function loadMessageEditor(): Promise<typeof MessageEditor> {
  loaded ??= (await loadChunk(() => import("./MessageEditor"))).MessageEditor;
  return loaded;
}

const LazyEditor = lazy(() => loadMessageEditor().then((editor) => ({ default: editor })));

/** Returns the editor for one edit: a component must not be replaced by another while it is shown. */
export const messageEditor = () => loaded ?? LazyEditor;
