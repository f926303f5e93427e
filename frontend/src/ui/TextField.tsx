import { type InputHTMLAttributes, type ReactNode, type RefObject, useId } from "react";

export const INPUT_CLASS =
  "w-full min-h-11 rounded-xl border border-edge bg-raised px-3.5 text-base md:text-[0.9375rem] text-ink transition-colors hover:border-muted aria-invalid:border-danger";

interface TextFieldProps extends InputHTMLAttributes<HTMLInputElement> {
  ref?: RefObject<HTMLInputElement | null>;
  label: string;
  /** Hides the label where an icon and a placeholder say the same; screen readers still read it. */
  isLabelHidden?: boolean;
  hint?: string | undefined;
  problem?: string | undefined;
  /** An icon inside the field, before its text. */
  icon?: ReactNode;
  /** A button inside the field, after its text. */
  aside?: ReactNode;
}

export function TextField({
  label,
  isLabelHidden = false,
  hint,
  problem,
  icon,
  aside,
  ...rest
}: TextFieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  const note = problem ?? hint;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className={isLabelHidden ? "sr-only" : "text-sm font-semibold text-ink"}>
        {label}
      </label>
      <div className="relative">
        {icon && (
          <span className="pointer-events-none absolute inset-y-0 left-0 grid w-11 place-items-center text-muted">
            {icon}
          </span>
        )}
        <input
          id={id}
          aria-invalid={problem ? true : undefined}
          aria-describedby={note ? noteId : undefined}
          className={`${INPUT_CLASS} ${icon ? "pl-11" : ""} ${aside ? "pr-12" : ""}`}
          {...rest}
        />
        {aside && <span className="absolute inset-y-0 right-0">{aside}</span>}
      </div>
      {/* Announced while it changes: a check may find a problem while the reader types. */}
      <p
        id={noteId}
        aria-live="polite"
        className={`text-sm empty:hidden ${problem ? "font-medium text-danger" : "text-muted"}`}
      >
        {note}
      </p>
    </div>
  );
}
