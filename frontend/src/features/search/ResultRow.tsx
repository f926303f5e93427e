import { Hash } from "lucide-react";
import type { SearchResult } from "../../api/gen/types.gen";
import { briefTime, fullTime } from "../../ui/dates";
import { Link } from "../../ui/router";
import { plainText } from "../timeline/plain-text";

interface ResultRowProps {
  id: string;
  result: SearchResult;
  path: string;
  isActive: boolean;
  onOpen(): void;
}

/** A message found: a link to it. The focus stays in the field. */
export function ResultRow({ id, result, path, isActive, onOpen }: ResultRowProps) {
  const { room, message, highlight } = result;
  return (
    <Link
      id={id}
      role="option"
      aria-selected={isActive}
      tabIndex={-1}
      to={path}
      onClick={onOpen}
      // A click leaves the focus in the field.
      onMouseDown={(event) => event.preventDefault()}
      className="block rounded-lg px-3 py-2 hover:bg-surface aria-selected:bg-accent-wash aria-selected:outline-2 aria-selected:-outline-offset-2 aria-selected:outline-transparent"
    >
      <span className="flex items-baseline gap-2">
        <span translate="no" className="min-w-0 truncate font-semibold">
          {message.author?.username ?? "Somebody"}
        </span>{" "}
        <span className="flex min-w-0 flex-1 items-baseline text-sm text-muted">
          <Hash className="size-3.5 shrink-0 self-center opacity-70" aria-hidden />
          <span className="min-w-0 truncate">{room.name}</span>
        </span>{" "}
        <time
          dateTime={message.created_at}
          title={fullTime(message.created_at)}
          className="shrink-0 text-xs text-muted"
        >
          {briefTime(message.created_at)}
        </time>
      </span>{" "}
      <span className="foreign mt-0.5 line-clamp-3 [unicode-bidi:plaintext]">
        {highlight.map(({ text, match }, index) =>
          match ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one answer never change
            <mark key={index} className="rounded-sm bg-accent/25 font-semibold text-ink">
              {text}
            </mark>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one answer never change
            <span key={index}>{plainText(text, message)}</span>
          ),
        )}
      </span>
    </Link>
  );
}
