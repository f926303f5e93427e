import { Dialog } from "../../ui/Dialog";
import { Keys } from "./Keys";

/** The shortcuts by where they work; `Mod` is Ctrl, or Cmd on devices of Apple. */
const SECTIONS: readonly { title: string; keys: readonly (readonly [keys: string, action: string])[] }[] = [
  {
    title: "Everywhere",
    keys: [
      ["Mod+K", "Jump to a room, a person or a command"],
      ["Mod+Shift+F", "Search all messages"],
      ["Mod+Shift+O", "Who is here"],
      ["/", "Search this room, outside of a text field"],
      ["Mod+Shift+M", "Inbox"],
      ["Alt+↓", "Next room"],
      ["Alt+↑", "Previous room"],
      ["Alt+Shift+↓", "Next unread room"],
      ["Alt+Shift+↑", "Previous unread room"],
      ["Mod+/", "Show this list"],
      ["?", "Show this list, outside of a text field"],
      ["Esc", "Close a dialog or the search, cancel an edit, or mark the room as read"],
    ],
  },
  {
    title: "Choosing messages",
    keys: [
      ["Esc", "From the message field to the messages, and back"],
      ["↑", "Previous message"],
      ["↓", "Next message, or back to the message field"],
      ["K", "Previous message"],
      ["J", "Next message"],
      ["Home", "First message of the room"],
      ["End", "Newest message"],
    ],
  },
  {
    title: "On the chosen message",
    keys: [
      ["Enter", "Open its menu"],
      ["R", "Reply"],
      ["E", "Edit"],
      ["Del", "Delete"],
      ["+", "React with 👍"],
      ["=", "React as the first one did"],
      ["U", "Mark unread from here"],
      ["C", "Copy its link"],
      ["Mod+Shift+C", "Copy its link"],
    ],
  },
  {
    title: "Writing",
    keys: [
      ["Enter", "Send"],
      ["Shift+Enter", "New line"],
      ["@", "Mention somebody"],
      ["↑", "Edit your last message, if the field is empty"],
      ["Mod+B", "Bold"],
      ["Mod+I", "Italic"],
      ["Mod+E", "Code"],
    ],
  },
];

export function KeySheet({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <div className="flex flex-col gap-5">
        {SECTIONS.map(({ title, keys }) => (
          <section key={title} aria-label={title}>
            <h3 className="mb-1 text-sm font-bold">{title}</h3>
            <dl className="divide-y divide-line">
              {keys.map(([shortcut, action]) => (
                <div key={shortcut} className="flex items-center justify-between gap-4 py-1.5">
                  <dt className="text-muted">{action}</dt>
                  <dd>
                    <Keys of={shortcut} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <p className="text-sm text-muted">Outside of a text field, letters go to the message field.</p>
      </div>
    </Dialog>
  );
}
