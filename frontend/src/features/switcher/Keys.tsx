import { keysOf } from "../../ui/platform";

/** The keys of a shortcut such as `Mod+K`, by their names on this device. */
export function Keys({ of }: { of: string }) {
  return (
    <span className="flex shrink-0 gap-1">
      {keysOf(of).map((key) => (
        <kbd
          key={key}
          translate="no"
          className="grid min-w-6 place-items-center rounded-md border border-line bg-surface px-1.5 py-0.5 font-sans text-xs font-semibold text-muted"
        >
          {key}
        </kbd>
      ))}
    </span>
  );
}
