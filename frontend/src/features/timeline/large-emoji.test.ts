import { expect, test } from "vitest";
import { isLargeEmoji } from "./large-emoji";

test.each(["🎉", "🔥🔥🔥", "🎉 👍🏽 ❤️", "🇩🇪🇯🇵", "1️⃣", "👩‍👩‍👧‍👦👨‍🚀🏴‍☠️", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"])(
  "%s is shown large",
  (text) => {
    expect(isLargeEmoji(text)).toBe(true);
  },
);

test.each(["", "1", "#", "1 2", "©", "🔥🔥🔥🔥", "🎉!", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "🇩", "a🎉"])(
  "%j is not",
  (text) => {
    expect(isLargeEmoji(text)).toBe(false);
  },
);
