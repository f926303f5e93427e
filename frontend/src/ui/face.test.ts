import { expect, test } from "vitest";
import { faceOf, HUES, lettersOf, paletteOf } from "./face";

/** Relative luminance of a colour in OKLCH; constants from CSS Color 4. */
function luminance([lightness, chroma, hue]: readonly [number, number, number]): number {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clamp = (value: number) => Math.min(1, Math.max(0, value));
  const red = clamp(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = clamp(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = clamp(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: readonly [number, number, number], other: readonly [number, number, number]): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test.each(Array.from({ length: HUES }, (_, index) => index))(
  "the letters of palette %i are readable in both themes",
  (index) => {
    const { light, dark } = paletteOf(index);
    // WCAG 2.2, 1.4.3: the letters are small.
    expect(contrast(light.back, light.ink)).toBeGreaterThan(4.5);
    expect(contrast(dark.back, dark.ink)).toBeGreaterThan(4.5);
  },
);

test.each([
  ["ali", "al"],
  ["admin", "ad"],
  ["mara.kovac", "mk"],
  ["the-longest-one", "tl"],
  ["x", "x"],
  ["_._", "_."],
  ["", "?"],
  ["Zoë Ünal", "ZÜ"],
  ["陳大文", "陳大"],
])("the letters of %j are %j", (name, letters) => {
  expect(lettersOf(name)).toBe(letters);
});

test("people whose names begin alike have different faces", () => {
  const faces = ["ali", "admin", "bo", "zoe", "the-longest-one", "alina", "mara", "otto"].map((name) => {
    const { letters, light } = faceOf(name);
    return `${letters} ${light.back}`;
  });
  expect(new Set(faces).size).toBe(faces.length);
});
