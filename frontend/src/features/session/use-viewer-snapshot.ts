import { useQuery } from "@tanstack/react-query";
import { getMe } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { untilAnswered } from "../../api/until-answered";
import { withViewer } from "../../realtime/snapshots";
import type { Viewer } from "../../realtime/state";
import { type ChatStore, chat, useChat } from "../../realtime/store";

/** Keeps the role and mute of the signed-in user up to date: loaded once, then updated by `user.changed`. */
export function useViewerSnapshot(): void {
  const viewerId = useChat((state) => state.viewer?.id);
  const coverage = useChat((state) => state.coverage.directs);
  useQuery({
    queryKey: ["viewer", viewerId, coverage],
    queryFn: () => loadViewer(chat, () => answer(getMe())),
    ...untilAnswered,
    enabled: viewerId !== undefined && coverage > 0,
  });
}

/** Loads the viewer into `store`. A response that a `user.changed` overtook may be older: then it is loaded again. */
export async function loadViewer(store: ChatStore, load: () => Promise<Viewer>): Promise<string> {
  for (;;) {
    const before = store.state.viewer;
    const viewer = await load();
    if (store.state.viewer !== before) continue;
    store.update((state) => (state.viewer?.id === viewer.id ? withViewer(state, viewer) : state));
    return viewer.id;
  }
}
