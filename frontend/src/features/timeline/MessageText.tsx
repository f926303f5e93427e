import type { Author } from "../../api/gen/types.gen";
import { isLargeEmoji } from "./large-emoji";
import { RichText } from "./rich-text/RichText";

/** Matches text that has no Markdown. */
const isPlain = (body: string) => !/[*_`~[#>@\n]|https?:|www\./i.test(body);

/** A formatted message text. */
export function MessageText({ body, mentions }: { body: string; mentions: readonly Author[] }) {
  const isLarge = isLargeEmoji(body);
  if (!isLarge && !isPlain(body)) return <RichText body={body} mentions={mentions} />;
  return (
    <p dir="auto" className={`prose-chat whitespace-pre-wrap ${isLarge ? "text-3xl leading-snug" : ""}`}>
      {body}
    </p>
  );
}
