import { useQuery } from "@tanstack/react-query";
import { apiAddress } from "./address";
import type { Registration } from "./gen/types.gen";

interface ServerTraits {
  /** Demo accounts exist. */
  demo?: boolean;
  /** Whoever an admin wrote to may answer. */
  dm_replies?: boolean;
  /** Who may make an account. */
  registration?: Registration;
}

/** What the server says about its own set-up; everything is absent until it has answered. */
export function useServerTraits(): ServerTraits {
  const { data } = useQuery({
    queryKey: ["traits"],
    queryFn: async (): Promise<ServerTraits> => (await fetch(`${apiAddress()}/readyz`)).json(),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  return data ?? {};
}
