import { Inbox } from "lucide-react";
import { NavLink } from "../../ui/router";
import { useUnreadItems } from "./use-inbox";

/** The entry of the sidebar, with the number of unread items. */
export function InboxLink({ className }: { className: string }) {
  const { size } = useUnreadItems();
  return (
    <NavLink to="/me/inbox" className={`${className} ${size > 0 ? "font-semibold text-ink" : ""}`}>
      <Inbox className="size-4.5 shrink-0" aria-hidden />
      <span className="min-w-0 flex-1">{"Inbox "}</span>
      {size > 0 && (
        <span className="rounded-full bg-accent px-1.5 text-xs leading-5 font-bold text-on-accent">
          <span>{size > 99 ? "99+" : size}</span>
          <span className="sr-only"> unread</span>
        </span>
      )}
    </NavLink>
  );
}
