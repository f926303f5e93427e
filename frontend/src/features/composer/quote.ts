// The line that stands for a quoted message.

import type { Quote } from "../../api/gen/types.gen";

/** The first line of a text that is not the fence of a code block. */
export const lineOf = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("```")) ?? "";

/** The line of a quote; null if its message was deleted. */
export const quoteLine = ({ excerpt }: Quote): string | null => (excerpt === null ? null : lineOf(excerpt));
