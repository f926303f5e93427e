import { useQuery } from "@tanstack/react-query";
import { getMe } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { untilAnswered } from "../../api/until-answered";
import { withViewer } from "../../realtime/snapshots";
import { chat, useChat } from "../../realtime/store";

/** Keeps the role and mute of the signed-in user up to date: loaded once, then updated by `user.changed`. */
export function useViewerSnapshot(): void {
  const viewerId = useChat((state) => state.viewer?.id);
  const coverage = useChat((state) => state.coverage.directs);
  useQuery({
    queryKey: ["viewer", viewerId, coverage],
    queryFn: async () => {
      const me = await answer(getMe());
      chat.update((state) => (state.viewer?.id === me.id ? withViewer(state, me) : state));
      return me.id;
    },
    ...untilAnswered,
    enabled: viewerId !== undefined && coverage > 0,
  });
}
