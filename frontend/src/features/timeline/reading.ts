// Decides which messages count as read. Pure.

/** The rendered messages that are on the screen, from top to bottom, by their positions. */
export interface View {
  top: number;
  bottom: number;
}

interface Reading {
  /** Views of the last half second, oldest first. */
  views: readonly View[];
  /** Positions of the loaded messages, ascending. */
  orders: readonly number[];
  /** Everything up to this position is read; null if nothing is known. */
  mark: number | null;
  /** True if there are messages before the loaded ones. */
  hasOlder: boolean;
}

/**
 * Returns the position up to which everything is read now; null if nothing changes. A message counts if it was in every
 * view, and the mark moves only over messages that count: whoever jumps over some has not read them.
 */
export function readTo({ views, orders, mark, hasOlder }: Reading): number | null {
  const top = Math.max(...views.map((view) => view.top));
  const bottom = Math.min(...views.map((view) => view.bottom));
  if (views.length === 0 || top > bottom || bottom <= (mark ?? -1)) return null;
  if (mark === null) return bottom;
  const first = orders.find((order) => order > mark);
  if (first === undefined || first < top) return null;
  const isFirstLoaded = first === orders[0];
  // Unread messages before the loaded ones: positions in a room have no gap.
  if (isFirstLoaded && hasOlder && first !== mark + 1) return null;
  return bottom;
}
