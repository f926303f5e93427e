import type { ReactNode } from "react";

interface FootProps {
  look: string;
  children: ReactNode;
}

/** Shown in place of the composer when writing is not possible. */
export function Foot({ look, children }: FootProps) {
  return (
    <div className="column p-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] md:px-4">
      <div role="note" className={`flex items-center gap-3 rounded-2xl px-4 py-3 ${look}`}>
        {children}
      </div>
    </div>
  );
}
