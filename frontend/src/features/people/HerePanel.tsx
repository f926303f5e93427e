import { Mail, X } from "lucide-react";
import { useEffect, useId, useRef } from "react";
import type { Here, User } from "../../api/gen/types.gen";
import { AdminMark } from "../../ui/AdminMark";
import { Avatar } from "../../ui/Avatar";
import { Button, IconButton } from "../../ui/Button";
import { Link } from "../../ui/router";
import { useModal } from "../../ui/use-modal";
import { useViewer } from "../session/use-session";
import { isHereOpen, takeOpening } from "./panel";
import { useHere } from "./use-here";

const close = () => isHereOpen.set(false);

/** The people in the open room: beside it, or over it where there is less room. */
export function HerePanel({ roomId, isBeside }: { roomId: string; isBeside: boolean }) {
  return isBeside ? <Beside roomId={roomId} /> : <Sheet roomId={roomId} />;
}

function Beside({ roomId }: { roomId: string }) {
  const frame = useRef<HTMLElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    const panel = frame.current;
    if (takeOpening()) panel?.querySelector("button")?.focus({ preventScroll: true });
    return () => {
      const isLost = document.activeElement === document.body || panel?.contains(document.activeElement);
      if (isLost && before instanceof HTMLElement && before.isConnected)
        before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <aside
      ref={frame}
      aria-labelledby={titleId}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.shiftKey || event.defaultPrevented) return;
        event.preventDefault();
        close();
      }}
      className="flex min-h-0 w-72 shrink-0 flex-col border-l border-line bg-ground xl:w-80"
    >
      <Title id={titleId} className="min-h-16 border-b border-line" />
      <List roomId={roomId} />
    </aside>
  );
}

function Sheet({ roomId }: { roomId: string }) {
  const dialog = useModal();
  const titleId = useId();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog by itself
    <dialog
      ref={dialog}
      aria-labelledby={titleId}
      onClick={({ target, currentTarget }) => {
        const isLink = target instanceof Element && target.closest("a");
        if (isLink || target === currentTarget) close();
      }}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      className="rise m-0 mt-auto max-h-[80dvh] w-full max-w-none flex-col rounded-t-2xl border border-line bg-raised p-0 text-ink shadow-float open:flex md:mt-0 md:ml-auto md:h-dvh md:max-h-none md:w-88 md:rounded-none"
    >
      <Title id={titleId} className="min-h-14" />
      <List roomId={roomId} />
    </dialog>
  );
}

function Title({ id, className }: { id: string; className: string }) {
  return (
    <div className={`flex shrink-0 items-center gap-2 py-2 pr-2 pl-5 ${className}`}>
      <h2 id={id} className="min-w-0 flex-1 truncate text-base font-bold">
        Who is here
      </h2>
      <IconButton label="Close" onClick={close}>
        <X className="size-5" aria-hidden />
      </IconButton>
    </div>
  );
}

function List({ roomId }: { roomId: string }) {
  const { data, isError, refetch } = useHere(roomId);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-2 pt-2 pb-[max(1rem,env(safe-area-inset-bottom))]">
      {data ? (
        <People here={data} />
      ) : isError ? (
        <div className="flex flex-col items-start gap-3 px-3 py-2 text-sm text-muted">
          <p>Could not load who is here.</p>
          <Button look="quiet" onClick={() => void refetch()}>
            Try again
          </Button>
        </div>
      ) : (
        <p className="px-3 py-2 text-sm text-muted">Loading…</p>
      )}
    </div>
  );
}

function People({ here: { users, users_total, guests } }: { here: Here }) {
  const admins = users.filter(({ role }) => role === "admin");
  const others = users.filter(({ role }) => role !== "admin");
  const unlisted = users_total - users.length;
  const rest = restSentence(unlisted, guests, users.length === 0);
  return (
    <>
      <Section title="Admins" people={admins} />
      <Section title="Online" people={others} />
      {rest && <p className="px-3 py-2 text-sm text-muted">{rest}</p>}
    </>
  );
}

/** "+ 30 more people and 12 guests" */
export function restSentence(people: number, guests: number, isEmpty: boolean): string | null {
  const parts = [
    ...(people > 0 ? [`${people} more ${people === 1 ? "person" : "people"}`] : []),
    ...(guests > 0 ? [guests === 1 ? "1 guest" : `${guests} guests`] : []),
  ];
  if (parts.length === 0) return isEmpty ? "Nobody is here right now." : null;
  return `${isEmpty ? "" : "+ "}${parts.join(" and ")}`;
}

function Section({ title, people }: { title: string; people: readonly User[] }) {
  const titleId = useId();
  const viewer = useViewer();
  if (people.length === 0) return null;
  return (
    <section aria-labelledby={titleId} className="mb-3">
      <h3 id={titleId} className="px-3 pb-1 text-xs font-semibold text-muted">
        {`${title} · ${people.length}`}
      </h3>
      <ul>
        {people.map(({ id, username, role }) => {
          const isViewer = id === viewer?.id;
          return (
            <li
              key={id}
              className="flex min-h-11 items-center gap-2.5 rounded-lg pr-1 pl-3 hover:bg-surface md:min-h-10"
            >
              <Avatar name={username} size="small" />
              <span translate="no" className="truncate text-[0.9375rem] font-medium">
                {username}
              </span>
              {role === "admin" && <AdminMark />}
              {isViewer && <span className="text-xs font-medium text-muted">you</span>}
              {viewer?.role === "admin" && !isViewer && (
                <Link
                  to={`/dm/${id}`}
                  state={{ username }}
                  aria-label={`Write privately to ${username}`}
                  title="Write privately"
                  className="ml-auto inline-grid size-11 shrink-0 place-items-center rounded-lg text-muted hover:bg-private-wash hover:text-private md:size-9"
                >
                  <Mail className="size-4.5" aria-hidden />
                </Link>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
