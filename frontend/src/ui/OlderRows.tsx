import { sentence } from "../api/problem";
import { LoadMore } from "./LoadMore";
import { Notice } from "./Notice";
import type { Older } from "./use-older";

/** The last rows of a list with more pages: what went wrong, and the end that loads the next page. */
export function OlderRows({ label, older }: { label: string; older: Older }) {
  return (
    <>
      {older.error && (
        <li>
          <Notice tone="danger">{sentence(older.error)}</Notice>
        </li>
      )}
      {older.hasOlder && (
        <li>
          <LoadMore
            label={label}
            isLoading={older.isLoading}
            hasFailed={older.error !== null}
            onLoad={older.load}
          />
        </li>
      )}
    </>
  );
}
