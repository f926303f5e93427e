import { X } from "lucide-react";
import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { IconButton } from "./Button";
import { isComposing } from "./keys";

interface DialogProps {
  title: string;
  onClose(): void;
  children: ReactNode;
}

/** A modal dialog. The `<dialog>` element keeps the focus inside and restores it afterwards. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const titleId = useId();

  // A layout effect closes the dialog while it is still in the page; only then is the focus restored.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    // By default the browser would focus the first button, which closes the dialog.
    if (content.current) firstPlace(content.current)?.focus();
    return () => dialog?.close();
  }, []);

  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onKeyDown={(event) => {
        // This Escape cancels a composition, not the dialog.
        if (event.key === "Escape" && isComposing(event)) event.preventDefault();
      }}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      className="rise m-auto w-[min(30rem,calc(100vw-2rem))] max-h-[calc(100dvh-2rem)] overflow-y-auto rounded-2xl border border-line bg-raised p-0 text-ink shadow-float"
    >
      <div className="flex items-center justify-between gap-3 pt-4 pr-3 pl-6">
        <h2 id={titleId} className="foreign min-w-0 text-lg font-bold">
          {title}
        </h2>
        <IconButton label="Close" onClick={onClose}>
          <X className="size-5" aria-hidden />
        </IconButton>
      </div>
      <div ref={content} className="px-6 pt-2 pb-6">
        {children}
      </div>
    </dialog>
  );
}

/** Returns the first field, with its text selected; without a field the button marked as first, or the first button. */
function firstPlace(content: HTMLElement): HTMLElement | null {
  const field = content.querySelector<HTMLElement>(":is(input, select, textarea):not(:disabled)");
  if (field instanceof HTMLInputElement) field.select();
  return field ?? content.querySelector<HTMLElement>("[data-first]") ?? content.querySelector("button");
}
