import {
  DoorOpen,
  Inbox,
  Keyboard,
  Lock,
  LogIn,
  LogOut,
  type LucideIcon,
  MailPlus,
  Monitor,
  Moon,
  PenLine,
  Plus,
  ScrollText,
  Settings,
  Sun,
  UserPlus,
  Users,
} from "lucide-react";
import type { Role } from "../../api/gen/types.gen";
import type { Navigate } from "../../ui/router";
import { NEW_ROOM } from "../admin/new-room";
import { askToSignOut } from "../composer/SignOut";
import { chooseTheme, type Theme } from "../settings/theme";
import { openPanel } from "./panel";

export interface Command {
  label: string;
  keywords?: string;
  icon: LucideIcon;
  /** A page, or something to do. */
  path?: string;
  run?(): void;
}

const THEMES = [
  { theme: "dark", label: "Dark theme", icon: Moon },
  { theme: "light", label: "Light theme", icon: Sun },
  { theme: "system", label: "System theme", icon: Monitor },
] satisfies { theme: Theme; label: string; icon: LucideIcon }[];

/** The commands for somebody of this role; null for a guest. */
export function commandsFor(role: Role | null, theme: Theme, navigate: Navigate, from: string): Command[] {
  const signIn = (path: string) => () => void navigate(path, { state: { from } });
  const newRoom = () => void navigate("/admin/rooms", { state: NEW_ROOM });
  const forGuests: Command[] = [
    { label: "Sign in", keywords: "log in", icon: LogIn, run: signIn("/sign-in") },
    {
      label: "Create an account",
      keywords: "sign up register join",
      icon: UserPlus,
      run: signIn("/sign-up"),
    },
  ];
  const forAdmins: Command[] = [
    { label: "New room", keywords: "create room", icon: Plus, run: newRoom },
    { label: "New private message", keywords: "write dm", icon: PenLine, path: "/dm/new" },
  ];
  const adminPages: Command[] = [
    { label: "Manage rooms", keywords: "administration archive", icon: DoorOpen, path: "/admin/rooms" },
    { label: "Manage people", keywords: "administration users ban mute", icon: Users, path: "/admin/users" },
    { label: "Invitations", keywords: "administration invite", icon: MailPlus, path: "/admin/invitations" },
    { label: "Audit trail", keywords: "administration log", icon: ScrollText, path: "/admin/audit" },
  ];
  return [
    ...(role === null ? forGuests : []),
    ...(role === "admin" ? forAdmins : []),
    ...THEMES.filter((choice) => choice.theme !== theme).map((choice) => ({
      label: choice.label,
      keywords: "appearance mode",
      icon: choice.icon,
      run: () => chooseTheme(choice.theme),
    })),
    { label: "Settings", keywords: "preferences password", icon: Settings, path: "/settings" },
    { label: "Keyboard shortcuts", keywords: "keys help", icon: Keyboard, run: () => openPanel.set("keys") },
    ...(role === null
      ? []
      : [
          { label: "Inbox", keywords: "mentions replies notifications", icon: Inbox, path: "/me/inbox" },
          { label: "Private messages", keywords: "dm", icon: Lock, path: "/dm" },
        ]),
    ...(role === "admin" ? adminPages : []),
    ...(role === null ? [] : [{ label: "Sign out", keywords: "log out", icon: LogOut, run: askToSignOut }]),
  ];
}
