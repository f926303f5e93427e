import {
  type ClipboardEvent,
  type KeyboardEvent,
  type RefObject,
  type TextareaHTMLAttributes,
  useLayoutEffect,
} from "react";
import { isComposing } from "../../ui/keys";
import { isTouch } from "../../ui/media";
import { isApple } from "../../ui/platform";
import { showToast } from "../../ui/Toast";
import { type Change, continueList, marksOf, pasteLink, toggleMarks } from "./editing";

interface MessageFieldProps extends Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "value" | "onChange"> {
  ref: RefObject<HTMLTextAreaElement | null>;
  value: string;
  onType(text: string): void;
  /** Called for Enter, except where it is a line break: with Shift, and on a touch screen. Ctrl+Enter always counts. */
  onEnter?(): void;
  /** False for a field with a height of its own. */
  grows?: boolean;
}

/** A field for the text of a message, with shortcuts for Markdown. It is as tall as its text. */
export function MessageField({
  ref,
  value,
  onType,
  onEnter,
  onKeyDown,
  grows = true,
  ...rest
}: MessageFieldProps) {
  useHeightOfText(ref, value, grows);

  function pressed(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (isComposing(event)) return;
    onKeyDown?.(event);
    if (event.defaultPrevented || event.altKey) return;
    const field = event.currentTarget;
    const isLineBreak = event.shiftKey || !onEnter || (isTouch() && !hasModifier(event));
    if (event.key === "Enter" && !isLineBreak) {
      event.preventDefault();
      onEnter();
      return;
    }
    const marks = hasModifier(event) && !event.shiftKey ? marksOf(event.key) : undefined;
    const change =
      event.key === "Enter"
        ? continueList(selectionOf(field))
        : marks && toggleMarks(selectionOf(field), marks);
    if (!change) return;
    event.preventDefault();
    apply(field, change);
  }

  function pasted(event: ClipboardEvent<HTMLTextAreaElement>) {
    const field = event.currentTarget;
    const text = event.clipboardData.getData("text/plain");
    if (text === "" && event.clipboardData.files.length > 0) {
      event.preventDefault();
      showToast({ text: "Pictures and files cannot be sent here yet", key: "files" });
      return;
    }
    const change = pasteLink(selectionOf(field), text);
    if (!change) return;
    event.preventDefault();
    apply(field, change);
  }

  return (
    <textarea
      ref={ref}
      value={value}
      dir="auto"
      onChange={(event) => onType(event.target.value)}
      onKeyDown={pressed}
      onPaste={pasted}
      {...rest}
    />
  );
}

/** Cmd on Apple's devices, where Ctrl+B and Ctrl+E move the cursor, and Ctrl elsewhere. */
function hasModifier({ metaKey, ctrlKey }: KeyboardEvent): boolean {
  return isApple() ? metaKey && !ctrlKey : ctrlKey && !metaKey;
}

const selectionOf = ({ value, selectionStart, selectionEnd }: HTMLTextAreaElement) => ({
  text: value,
  start: selectionStart,
  end: selectionEnd,
});

/** Replaces a part of the text, and puts the caret behind it. */
export function insertAt(field: HTMLTextAreaElement, from: number, to: number, insert: string): void {
  const end = from + insert.length;
  apply(field, { from, to, insert, start: end, end });
}

/** Changes the text as if it had been typed, so that it can be undone. */
function apply(field: HTMLTextAreaElement, { from, to, insert, start, end }: Change): void {
  field.setSelectionRange(from, to);
  // The command is deprecated, but nothing else keeps the field's history.
  const isDone =
    insert === "" ? document.execCommand?.("delete") : document.execCommand?.("insertText", false, insert);
  if (!isDone) {
    field.setRangeText(insert, from, to, "end");
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  field.setSelectionRange(start, end);
}

/** Sets the height in browsers without `field-sizing`: Firefox, and Safari before version 26.2. */
function useHeightOfText(ref: RefObject<HTMLTextAreaElement | null>, value: string, grows: boolean): void {
  const isNeeded = grows && !(globalThis.CSS?.supports?.("field-sizing", "content") ?? false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height depends on the text
  useLayoutEffect(() => {
    if (!isNeeded) return;
    const update = () => {
      const field = ref.current;
      if (!field) return;
      field.style.height = "auto";
      const border = field.offsetHeight - field.clientHeight;
      field.style.height = `${field.scrollHeight + border}px`;
    };
    update();
    window.addEventListener("resize", update);
    return () => window.removeEventListener("resize", update);
  }, [ref, value, isNeeded]);
}
