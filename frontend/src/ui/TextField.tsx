import { type InputHTMLAttributes, useId } from "react";

export const INPUT_CLASS =
  "w-full min-h-11 rounded-xl border border-edge bg-raised px-3.5 text-base md:text-[0.9375rem] text-ink transition-colors hover:border-muted aria-invalid:border-danger";

interface TextFieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string;
  problem?: string | undefined;
}

export function TextField({ label, hint, problem, ...rest }: TextFieldProps) {
  const id = useId();
  const noteId = `${id}-note`;
  const note = problem ?? hint;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-semibold text-ink">
        {label}
      </label>
      <input
        id={id}
        aria-invalid={problem ? true : undefined}
        aria-describedby={note ? noteId : undefined}
        className={INPUT_CLASS}
        {...rest}
      />
      {note && (
        <p id={noteId} className={`text-sm ${problem ? "font-medium text-danger" : "text-muted"}`}>
          {note}
        </p>
      )}
    </div>
  );
}
