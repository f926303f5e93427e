import { RichText } from "./rich-text/RichText";

/** Matches text that has no Markdown. */
const isPlain = (body: string) => !/[*_`~[#>@\n]|https?:|www\./i.test(body);

/** Matches text of only a few emoji, which is shown large. */
const isEmojiOnly = (body: string) =>
  /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u200d|\ufe0f)*\s?){1,6}$/u.test(body);

/** A formatted message text. */
export function MessageText({ body }: { body: string }) {
  if (!isPlain(body)) return <RichText body={body} />;
  return (
    <p
      dir="auto"
      className={`prose-chat whitespace-pre-wrap ${isEmojiOnly(body) ? "text-3xl leading-snug" : ""}`}
    >
      {body}
    </p>
  );
}
