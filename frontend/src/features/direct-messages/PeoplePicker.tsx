import { X } from "lucide-react";
import { useState } from "react";
import type { Author } from "../../api/gen/types.gen";
import { sentence } from "../../api/problem";
import { useUserSearch } from "../../api/use-user-search";
import { AdminMark } from "../../ui/AdminMark";
import { Avatar } from "../../ui/Avatar";
import { isComposing } from "../../ui/keys";
import { LoadMore } from "../../ui/LoadMore";
import { hasKeyboard } from "../../ui/media";
import { Notice } from "../../ui/Notice";
import { TextField } from "../../ui/TextField";

const PAGE = 50;

interface PeoplePickerProps {
  chosen: readonly Author[];
  onChange(people: readonly Author[]): void;
  /** Excluded from the results: nobody writes to themselves. */
  except: string;
}

export function PeoplePicker({ chosen, onChange, except }: PeoplePickerProps) {
  const [query, setQuery] = useState("");
  const found = useUserSearch(query, PAGE);
  const people = (found.users ?? []).filter(({ id }) => id !== except);
  const isChosen = (id: string) => chosen.some((person) => person.id === id);
  const drop = (id: string) => onChange(chosen.filter((person) => person.id !== id));

  return (
    <div className="flex flex-col gap-3">
      <TextField
        label="To"
        type="search"
        placeholder="Search people"
        autoComplete="off"
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        autoFocus={hasKeyboard()}
        onKeyDown={(event) => {
          // Enter must not submit the form; during a composition it only confirms a word.
          if (event.key === "Enter" && !isComposing(event)) event.preventDefault();
        }}
      />
      {chosen.length > 0 && (
        <ul aria-label="Selected people" className="flex flex-wrap gap-2">
          {chosen.map(({ id, username }) => (
            <li key={id}>
              <button
                type="button"
                aria-label={`Remove ${username}`}
                onClick={() => drop(id)}
                className="flex min-h-11 items-center gap-2 rounded-full bg-private-wash pr-3 pl-1.5 font-medium text-private md:min-h-9"
              >
                <Avatar name={username} size="small" />
                <span translate="no">{username}</span>
                <X className="size-4" aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      )}
      {found.error && <Notice tone="danger">{sentence(found.error)}</Notice>}
      <ul aria-label="People" className="max-h-64 overflow-y-auto rounded-xl border border-line">
        {people.map(({ id, username, role }) => (
          <li key={id}>
            <label className="flex min-h-11 cursor-pointer items-center gap-3 px-3 py-1.5 hover:bg-surface">
              <input
                type="checkbox"
                checked={isChosen(id)}
                onChange={() => (isChosen(id) ? drop(id) : onChange([...chosen, { id, username }]))}
                className="size-5 accent-private"
              />
              <Avatar name={username} size="small" />
              <span translate="no" className="truncate">
                {username}
              </span>
              {role === "admin" && <AdminMark />}
            </label>
          </li>
        ))}
        {found.users && people.length === 0 && !found.hasNextPage && (
          <li className="px-4 py-3 text-muted">No matching people.</li>
        )}
        {found.hasNextPage && (
          <li>
            <LoadMore
              label="Show more people"
              isLoading={found.isFetchingNextPage}
              hasFailed={found.isFetchNextPageError}
              onLoad={() => void found.fetchNextPage()}
            />
          </li>
        )}
      </ul>
    </div>
  );
}
