// Names of keys, as they are printed on the keyboard of this device.

/** True on devices of Apple, where Cmd takes the place of Ctrl. */
export const isApple = (): boolean => /Mac|iP(?:hone|ad|od)/.test(navigator.platform);

const APPLE: Readonly<Record<string, string>> = { Mod: "⌘", Alt: "⌥", Shift: "⇧", Enter: "↩", Esc: "esc" };

/** The keys of a shortcut such as `Mod+K`; `Mod` is Ctrl, or Cmd on devices of Apple. */
export function keysOf(shortcut: string): string[] {
  const names = isApple() ? APPLE : { Mod: "Ctrl" };
  return shortcut.split("+").map((key) => (names as Record<string, string>)[key] ?? key);
}
