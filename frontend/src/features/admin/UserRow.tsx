import {
  Ban,
  Ellipsis,
  Eraser,
  Lock,
  LogOut,
  MessageCircle,
  MessageCircleOff,
  ShieldMinus,
  ShieldPlus,
} from "lucide-react";
import type { ReactNode } from "react";
import type { UserDetails } from "../../api/gen/types.gen";
import { Avatar } from "../../ui/Avatar";
import { shortTime } from "../../ui/dates";
import { Menu, type MenuItem } from "../../ui/Menu";
import { useNavigate } from "../../ui/router";
import { useViewer } from "../session/use-session";
import type { UserTask } from "./UserDialog";

interface UserRowProps {
  user: UserDetails;
  onTask(kind: UserTask["kind"]): void;
}

/** One person, with a menu of moderation actions. */
export function UserRow({ user, onTask }: UserRowProps) {
  const isSelf = useViewer()?.id === user.id;
  const navigate = useNavigate();
  const mutedUntil = user.muted_until && Date.parse(user.muted_until) > Date.now() ? user.muted_until : null;
  const isBanned = Boolean(user.banned_at);

  const write: MenuItem = {
    label: "Send private message",
    icon: Lock,
    onSelect: () => navigate(`/dm/${user.id}`, { state: { username: user.username } }),
  };
  const task = (
    label: string,
    icon: MenuItem["icon"],
    kind: UserTask["kind"],
    isDanger = false,
  ): MenuItem => ({
    label,
    icon,
    isDanger,
    onSelect: () => onTask(kind),
  });
  const items = [
    write,
    user.role === "admin"
      ? task("Remove admin role", ShieldMinus, "demote")
      : task("Make admin", ShieldPlus, "promote"),
    mutedUntil ? task("Unmute", MessageCircle, "unmute") : task("Mute…", MessageCircleOff, "mute"),
    task("Sign out everywhere…", LogOut, "end-sessions"),
    isBanned ? task("Unban", Ban, "unban") : task("Ban…", Ban, "ban"),
    task("Erase…", Eraser, "erase", true),
  ];

  return (
    <li className="flex items-center gap-3 py-2.5">
      <Avatar name={user.username} />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span translate="no" className="truncate font-semibold">
            {user.username}
          </span>
          {isSelf && <span className="text-xs text-muted">you</span>}
          {user.role === "admin" && <Badge look="bg-accent-wash text-accent-strong">Admin</Badge>}
          {mutedUntil && (
            <Badge look="bg-waiting-wash text-waiting">{`Muted until ${shortTime(mutedUntil)}`}</Badge>
          )}
          {isBanned && <Badge look="bg-danger-wash text-danger">Banned</Badge>}
        </p>
        {(isBanned || mutedUntil) && (
          <p className="truncate text-sm text-muted">{isBanned ? user.ban_reason : user.mute_reason}</p>
        )}
      </div>
      {!isSelf && (
        <Menu
          label={`Actions for ${user.username}`}
          items={items}
          buttonClassName="grid size-11 place-items-center rounded-lg text-muted hover:bg-surface hover:text-ink md:size-9"
        >
          <Ellipsis className="size-5" aria-hidden />
        </Menu>
      )}
    </li>
  );
}

function Badge({ look, children }: { look: string; children: ReactNode }) {
  return <span className={`rounded-full px-2 py-0.5 text-xs font-semibold ${look}`}>{children}</span>;
}
