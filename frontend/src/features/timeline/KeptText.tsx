import { type ReactNode, useState } from "react";
import { Button } from "../../ui/Button";

interface KeptTextProps {
  title: string;
  text: string;
  note?: string;
  /** Further actions besides copying the text. */
  children?: ReactNode;
}

/** Text typed into a field that no longer exists, kept until the user has dealt with it. */
export function KeptText({ title, text, note, children }: KeptTextProps) {
  const [isCopied, setCopied] = useState(false);
  return (
    <section
      aria-label={title}
      className="rise flex flex-col gap-2 rounded-2xl border border-line bg-surface px-4 py-3 text-left text-ink"
    >
      <h3 className="text-sm font-semibold">{title}</h3>
      {note && <p className="text-sm text-muted">{note}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <div tabIndex={0} className="max-h-36 overflow-y-auto">
        <p dir="auto" className="prose-chat whitespace-pre-wrap">
          {text}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        {children}
        {/* Only secure contexts can write to the clipboard; elsewhere the text can be copied by hand. */}
        {navigator.clipboard && (
          <Button
            look="quiet"
            className="md:min-h-8 md:text-sm"
            onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
          >
            {isCopied ? "Copied" : "Copy"}
          </Button>
        )}
      </div>
    </section>
  );
}
