import { createContext, type ReactNode, useContext } from "react";

/** Set by the shell on narrow screens: the button that opens the list of rooms. */
export const NavigationButton = createContext<ReactNode>(null);

interface PageHeaderProps {
  title: string;
  subtitle?: string;
  icon?: ReactNode;
  aside?: ReactNode;
}

export function PageHeader({ title, subtitle, icon, aside }: PageHeaderProps) {
  return (
    <header className="flex min-h-16 shrink-0 items-center gap-2 border-b border-line py-2 pr-3 pl-2 md:pr-5 md:pl-5">
      {useContext(NavigationButton)}
      {icon}
      <div className="min-w-0 flex-1">
        <h1 className="truncate text-lg leading-tight font-bold">{title}</h1>
        {subtitle && (
          <p className="truncate text-[0.8125rem] text-muted" title={subtitle}>
            {subtitle}
          </p>
        )}
      </div>
      {aside}
    </header>
  );
}
