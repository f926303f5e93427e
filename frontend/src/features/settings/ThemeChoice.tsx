import { Monitor, Moon, Sun } from "lucide-react";
import { chooseTheme, type Theme, useTheme } from "./theme";

const CHOICES = [
  { theme: "system", label: "System", icon: Monitor },
  { theme: "light", label: "Light", icon: Sun },
  { theme: "dark", label: "Dark", icon: Moon },
] satisfies { theme: Theme; label: string; icon: typeof Sun }[];

export function ThemeChoice() {
  const chosen = useTheme();
  return (
    <fieldset className="flex gap-2">
      <legend className="sr-only">Theme</legend>
      {CHOICES.map(({ theme, label, icon: Icon }) => (
        <label
          key={theme}
          className="flex min-h-11 flex-1 cursor-pointer items-center justify-center gap-2 rounded-xl border border-line bg-raised px-3 font-medium text-muted transition-colors hover:border-edge has-checked:border-accent has-checked:bg-accent-wash has-checked:text-accent-strong has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name="theme"
            className="sr-only"
            checked={chosen === theme}
            onChange={() => chooseTheme(theme)}
          />
          <Icon className="size-4.5" aria-hidden />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
