import { createContext, type ReactNode, useContext } from "react";

/** Set by the shell on narrow screens: the button that opens the list of rooms. */
export const NavigationButton = createContext<ReactNode>(null);

interface PageHeaderProps {
  title: string;
  /** Begins the line below the title. */
  lead?: ReactNode;
  subtitle?: string;
  icon?: ReactNode;
  aside?: ReactNode;
}

export function PageHeader({ title, lead, subtitle, icon, aside }: PageHeaderProps) {
  return (
    <header className="flex min-h-16 shrink-0 items-center gap-2 border-b border-line py-2 pr-3 pl-2 md:pr-5 md:pl-5">
      {useContext(NavigationButton)}
      {icon}
      <div className="min-w-0 flex-1">
        <h1 className="truncate text-lg leading-tight font-bold">{title}</h1>
        {(lead || subtitle) && (
          // The line itself is not cut, so that a button in it can be larger than its text.
          <p className="flex text-[0.8125rem] text-muted" title={subtitle}>
            {lead}
            {subtitle && (
              <span className={`min-w-0 flex-1 truncate ${lead ? "pl-1" : ""}`}>
                {lead ? ` · ${subtitle}` : subtitle}
              </span>
            )}
          </p>
        )}
      </div>
      {/* On phones the buttons are close together, so that they leave space for the title. */}
      {aside && <div className="flex shrink-0 items-center md:gap-2">{aside}</div>}
    </header>
  );
}
