import { EllipsisVertical, Keyboard, LogOut, Search, Settings } from "lucide-react";
import { askToSignOut } from "../features/composer/SignOut";
import { useViewer } from "../features/session/use-session";
import { ThemeToggle } from "../features/settings/ThemeToggle";
import { openPanel } from "../features/switcher/panel";
import { Avatar } from "../ui/Avatar";
import { Menu } from "../ui/Menu";
import { Link, useLocation, useNavigate } from "../ui/router";

/** The signed-in user with a menu, or a link to sign in for a guest. */
export function SidebarFooter() {
  const viewer = useViewer();
  const navigate = useNavigate();
  const { pathname } = useLocation();

  if (!viewer) {
    return (
      <div className="flex items-center justify-between border-t border-line p-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] pl-5">
        <Link
          to="/sign-in"
          state={{ from: pathname }}
          className="inline-flex min-h-11 items-center font-semibold text-accent hover:text-accent-strong md:min-h-9"
        >
          Sign in
        </Link>
        <ThemeToggle />
      </div>
    );
  }
  return (
    <div className="flex items-center gap-3 border-t border-line p-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] pl-4">
      <Avatar name={viewer.username} />
      <div className="min-w-0 flex-1 leading-tight">
        <p translate="no" className="truncate font-semibold">
          {viewer.username}
        </p>
        <p className="text-xs text-muted">{viewer.role === "admin" ? "Admin" : "Member"}</p>
      </div>
      <Menu
        label="Your account"
        buttonClassName="grid size-11 place-items-center rounded-lg text-muted hover:bg-raised hover:text-ink md:size-9"
        items={[
          { label: "Jump to…", icon: Search, onSelect: () => openPanel.set("switcher") },
          { label: "Keyboard shortcuts", icon: Keyboard, onSelect: () => openPanel.set("keys") },
          { label: "Settings", icon: Settings, onSelect: () => navigate("/settings") },
          { label: "Sign out", icon: LogOut, onSelect: () => askToSignOut() },
        ]}
      >
        <EllipsisVertical className="size-5" aria-hidden />
      </Menu>
    </div>
  );
}
