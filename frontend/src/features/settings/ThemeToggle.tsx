import { Moon, Sun } from "lucide-react";
import { IconButton } from "../../ui/Button";
import { chooseTheme, isDark, useTheme } from "./theme";

/** Switches between light and dark, for those without settings. */
export function ThemeToggle() {
  const dark = isDark(useTheme());
  const Icon = dark ? Sun : Moon;
  return (
    <IconButton
      label={dark ? "Light theme" : "Dark theme"}
      onClick={() => chooseTheme(dark ? "light" : "dark")}
    >
      <Icon className="size-4.5" aria-hidden />
    </IconButton>
  );
}
