import { useEffect, useState } from "react";
import { loadChunk } from "../../browser/chunks";

let richText: ((body: string) => string) | null = null;
let loading: Promise<void> | null = null;

/** Matches text that the formatter would not change, so that it need not be loaded. */
const isPlain = (body: string) => !/[*_`~[\]<>&\\]|https?:|www\.|@|\n/.test(body);

/** Matches text of only a few emoji, which is shown large. */
const isEmojiOnly = (body: string) =>
  /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u200d|\ufe0f)*\s?){1,6}$/u.test(body);

/** A formatted message text; plain until the formatter is loaded. */
export function MessageText({ body }: { body: string }) {
  const [isReady, setReady] = useState(richText !== null);
  const needsFormat = !isPlain(body);

  useEffect(() => {
    if (isReady || !needsFormat) return;
    loading ??= loadChunk(() => import("./rich-text")).then((module) => {
      richText = module.richText;
    });
    let isHere = true;
    void loading
      .then(() => isHere && setReady(true))
      .catch(() => {
        loading = null; // Plain text is readable; the next message retries.
      });
    return () => {
      isHere = false;
    };
  }, [isReady, needsFormat]);

  if (needsFormat && richText) {
    return (
      <div
        dir="auto"
        className="prose-chat"
        // biome-ignore lint/security/noDangerouslySetInnerHtml: `richText` sanitises, and allows eight tags only
        dangerouslySetInnerHTML={{ __html: richText(body) }}
      />
    );
  }
  return (
    <p
      dir="auto"
      className={`prose-chat whitespace-pre-wrap ${isEmojiOnly(body) ? "text-3xl leading-snug" : ""}`}
    >
      {body}
    </p>
  );
}
