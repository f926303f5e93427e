import { chooseOpening, type Opening, useOpening } from "./opening";

const CHOICES = [
  { opening: "unread", label: "Where I left off" },
  { opening: "newest", label: "At the newest message" },
] satisfies { opening: Opening; label: string }[];

export function OpeningChoice() {
  const chosen = useOpening();
  return (
    <fieldset className="flex flex-col gap-2 md:flex-row">
      <legend className="mb-2 text-sm font-semibold">Open rooms</legend>
      {CHOICES.map(({ opening, label }) => (
        <label
          key={opening}
          className="flex min-h-11 flex-1 cursor-pointer items-center justify-center rounded-xl border border-line bg-raised px-3 font-medium text-muted transition-colors hover:border-edge has-checked:border-accent has-checked:bg-accent-wash has-checked:text-accent-strong has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name="opening"
            className="sr-only"
            checked={chosen === opening}
            onChange={() => chooseOpening(opening)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
