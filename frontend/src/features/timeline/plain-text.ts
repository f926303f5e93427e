import type { Author } from "../../api/gen/types.gen";

const MENTION = /@\[user:([0-9a-f-]{36})\]/gi;

/** Text for a list: a mention, which is stored with the user's id, is shown with the name. */
export function plainText(text: string, message: object): string {
  const { mentions = [] } = message as { mentions?: readonly Author[] };
  return text.replace(MENTION, (token, id) => {
    const named = mentions.find((mention) => mention.id === id);
    return named ? `@${named.username}` : token;
  });
}
