import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface EmptyStateProps {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children, action }: EmptyStateProps) {
  return (
    <div className="rise grid flex-1 place-items-center px-6 py-12 text-center">
      <div className="flex max-w-sm flex-col items-center gap-3">
        <span className="mb-2 grid size-16 place-items-center rounded-full bg-accent-wash text-accent">
          <Icon className="size-7" aria-hidden />
        </span>
        <h2 className="foreign max-w-full text-xl font-bold">{title}</h2>
        {children && <div className="text-muted">{children}</div>}
        {action && <div className="mt-3">{action}</div>}
      </div>
    </div>
  );
}
