import { CircleAlert, Info } from "lucide-react";
import type { ReactNode } from "react";

const TONES = {
  danger: "bg-danger-wash text-danger",
  waiting: "bg-waiting-wash text-waiting",
  calm: "bg-accent-wash text-accent-strong",
};

interface NoticeProps {
  tone: keyof typeof TONES;
  children: ReactNode;
  action?: ReactNode;
}

/** An important message, with an optional action. */
export function Notice({ tone, children, action }: NoticeProps) {
  const Icon = tone === "calm" ? Info : CircleAlert;
  return (
    <div
      role={tone === "danger" ? "alert" : "status"}
      className={`rise my-3 flex items-center gap-3 rounded-xl px-4 py-3 text-sm font-medium ${TONES[tone]}`}
    >
      <Icon className="size-4.5 shrink-0" aria-hidden />
      <p className="min-w-0 flex-1 foreign">{children}</p>
      {action}
    </div>
  );
}
