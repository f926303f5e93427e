import { type RefObject, useLayoutEffect, useRef } from "react";

/** Opens a `<dialog>` as modal while its component is mounted. The element keeps the focus inside and restores it. */
export function useModal(): RefObject<HTMLDialogElement | null> {
  const ref = useRef<HTMLDialogElement>(null);
  // A layout effect closes the dialog while it is still in the page; only then is the focus restored.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return ref;
}
