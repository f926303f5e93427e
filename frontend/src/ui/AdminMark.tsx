import { ShieldCheck } from "lucide-react";

/** The shield beside the name of an admin. */
export function AdminMark() {
  return (
    <span title="Admin" className="inline-grid shrink-0 text-accent">
      <ShieldCheck className="size-4" aria-hidden />
      <span className="sr-only">admin</span>
    </span>
  );
}
