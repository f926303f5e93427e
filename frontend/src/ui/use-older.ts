import { useState } from "react";

/** The rest of a list that is loaded page by page. */
export interface Older {
  hasOlder: boolean;
  isLoading: boolean;
  error: Error | null;
  load(): void;
}

/** Loads further pages on demand, one at a time. `loadPage` throws errors only. */
export function useOlder(hasOlder: boolean, loadPage: () => Promise<unknown>): Older {
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<Error | null>(null);

  async function load() {
    if (!hasOlder || isLoading) return;
    setLoading(true);
    setError(
      await loadPage().then(
        () => null,
        (failure: Error) => failure,
      ),
    );
    setLoading(false);
  }

  return { hasOlder, isLoading, error, load: () => void load() };
}
