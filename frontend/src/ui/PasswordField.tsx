import { Eye, EyeOff } from "lucide-react";
import { type ComponentProps, useState } from "react";
import { TextField } from "./TextField";

type PasswordFieldProps = Omit<ComponentProps<typeof TextField>, "type" | "aside">;

/** A password field whose content can be shown. */
export function PasswordField(props: PasswordFieldProps) {
  const [isShown, setShown] = useState(false);
  const Icon = isShown ? EyeOff : Eye;
  return (
    <TextField
      {...props}
      type={isShown ? "text" : "password"}
      autoCapitalize="none"
      spellCheck={false}
      aside={
        <button
          type="button"
          aria-pressed={isShown}
          title={isShown ? "Hide password" : "Show password"}
          onClick={() => setShown(!isShown)}
          className="grid size-11 place-items-center rounded-xl text-muted hover:text-ink focus-visible:-outline-offset-4"
        >
          <Icon className="size-4.5" aria-hidden />
          <span className="sr-only">Show password</span>
        </button>
      }
    />
  );
}
