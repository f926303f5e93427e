/** Sequences that the reader sees as one emoji: flags, keycaps, families, skin tones. The browser knows them all. */
const FEW_EMOJI = /^(?:\p{RGI_Emoji}\s*){1,3}$/v;

/**
 * Returns whether a text is one to three emoji, which are shown large. The pattern matches whole sequences, so that
 * `Intl.Segmenter`, which Firefox has only since version 125, is not needed.
 */
export const isLargeEmoji = (text: string): boolean => text.length <= 120 && FEW_EMOJI.test(text);
