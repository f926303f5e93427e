import type { ButtonHTMLAttributes, ReactNode } from "react";

type Look = "solid" | "quiet" | "danger" | "private";

const LOOKS: Record<Look, string> = {
  solid: "bg-accent text-on-accent hover:bg-accent-strong",
  quiet: "bg-raised text-ink border border-line hover:border-edge hover:bg-surface",
  danger: "bg-danger-fill text-on-danger hover:brightness-110",
  private: "bg-private text-on-private hover:brightness-110",
};

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  isBusy?: boolean;
}

/** Classes of a button, for links that look like one. */
export function buttonClass(look: Look = "solid"): string {
  return `inline-flex min-h-11 md:min-h-10 items-center justify-center gap-2 rounded-xl px-4 font-semibold whitespace-nowrap transition-colors disabled:opacity-55 aria-disabled:opacity-55 ${LOOKS[look]}`;
}

/** A busy button keeps the focus, which a disabled one would lose, but ignores clicks and Enter. */
export function Button({ look = "solid", isBusy = false, className = "", onClick, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      aria-busy={isBusy || undefined}
      aria-disabled={isBusy || undefined}
      className={`${buttonClass(look)} ${className}`}
      onClick={isBusy ? (event) => event.preventDefault() : onClick}
      {...rest}
    />
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** Accessible name, also shown on hover. */
  label: string;
  children: ReactNode;
}

export function IconButton({ label, className = "", children, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-grid size-11 md:size-9 shrink-0 place-items-center rounded-lg text-muted transition-colors hover:bg-surface hover:text-ink ${className}`}
      {...rest}
    >
      {children}
    </button>
  );
}
