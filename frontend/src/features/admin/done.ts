import { sentence } from "../../api/problem";
import { showToast } from "../../ui/Toast";

/** Reports in a toast that a change was made, with a button that reverts it, if it can be reverted. */
export function reportDone(text: string, undo?: () => Promise<unknown>): void {
  showToast({ text, ...(undo ? { action: { label: "Undo", onSelect: () => void revert(undo) } } : {}) });
}

async function revert(undo: () => Promise<unknown>): Promise<void> {
  try {
    await undo();
    showToast({ text: "Undone" });
  } catch (error) {
    showToast({ text: "Could not undo this", detail: sentence(error) });
  }
}
