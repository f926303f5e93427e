import { useEffect, useState } from "react";
import { loadChunk } from "../../browser/chunks";

let richText: ((body: string) => string) | null = null;
let loading: Promise<void> | null = null;

/** Nothing in it that the formatter would change: no need to load or run it. */
const isPlain = (body: string) => !/[*_`~[\]<>&\\]|https?:|www\.|@|\n/.test(body);

/** Nothing but a few emoji: shown large, as they are meant. */
const isEmojiOnly = (body: string) =>
  /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u200d|\ufe0f)*\s?){1,6}$/u.test(body);

/** What somebody wrote, formatted; plain until the formatter is there. */
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
        loading = null; // Plain text stays readable; the next message tries again.
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
