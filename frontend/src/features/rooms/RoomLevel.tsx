import { Bell, BellOff, BellRing } from "lucide-react";
import type { KnownRoom } from "../../api/earlier-release";
import { setLevel } from "../../api/gen/sdk.gen";
import type { Membership } from "../../api/gen/types.gen";
import { answer, sentence } from "../../api/problem";
import { Menu } from "../../ui/Menu";
import { showToast } from "../../ui/Toast";

type Level = Membership["level"];

const LEVELS: { level: Level; label: string; icon: typeof Bell }[] = [
  { level: "all", label: "Every message", icon: BellRing },
  { level: "mentions", label: "Mentions and replies", icon: Bell },
  { level: "none", label: "Nothing", icon: BellOff },
];

/** The choice of messages of a room that notify the user. The event of the change brings it to all devices. */
export function RoomLevel({ room }: { room: KnownRoom }) {
  const { id, membership } = room;
  if (!membership) return null;
  const current = LEVELS.find(({ level }) => level === membership.level) ?? LEVELS[1];
  const Icon = current?.icon ?? Bell;

  async function choose(level: Level, label: string) {
    try {
      await answer(setLevel({ path: { id }, body: { level } }));
      showToast({ text: `Notifications of ${room.name}: ${label.toLowerCase()}`, key: "level" });
    } catch (error) {
      showToast({ text: "The setting was not saved", detail: sentence(error), key: "level" });
    }
  }

  return (
    <Menu
      label={`Notify me about: ${current?.label.toLowerCase()}`}
      buttonClassName="inline-grid size-11 shrink-0 place-items-center rounded-lg text-muted transition-colors hover:bg-surface hover:text-ink md:size-9"
      items={LEVELS.map(({ level, label, icon }) => ({
        label,
        icon,
        isChosen: level === membership.level,
        onSelect: () => void choose(level, label),
      }))}
    >
      <Icon className="size-5" aria-hidden />
    </Menu>
  );
}
