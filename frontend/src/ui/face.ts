// Letters and colours of a person's face, derived from the name, so that they are the same for everyone everywhere.

/** Lightness, chroma and hue of a colour in OKLCH. */
type Colour = readonly [lightness: number, chroma: number, hue: number];

interface Palette {
  back: Colour;
  ink: Colour;
}

export interface Face {
  letters: string;
  light: Palette;
  dark: Palette;
}

export const HUES = 24;

/** One of the 24 palettes. Neighbouring hues differ in lightness, too. */
export function paletteOf(index: number): Omit<Face, "letters"> {
  const hue = (360 / HUES) * index;
  const isDeep = index % 2 === 1;
  return {
    light: {
      back: [isDeep ? 0.84 : 0.9, isDeep ? 0.085 : 0.06, hue],
      ink: [isDeep ? 0.34 : 0.38, 0.095, hue],
    },
    dark: {
      back: [isDeep ? 0.4 : 0.46, isDeep ? 0.085 : 0.075, hue],
      ink: [isDeep ? 0.93 : 0.96, isDeep ? 0.06 : 0.04, hue],
    },
  };
}

export function faceOf(name: string): Face {
  let sum = 0;
  for (const letter of name) sum = (sum * 257 + (letter.codePointAt(0) ?? 0)) % 9973;
  return { letters: lettersOf(name), ...paletteOf(sum % HUES) };
}

/** The initials of the first two words of a name, or the first two letters of its only word. */
export function lettersOf(name: string): string {
  const [first = "", second] = name.split(/[^\p{L}\p{M}\p{N}]+/u).filter(Boolean);
  const initial = ([letter = ""]: readonly string[]) => letter;
  if (second) return initial([...first]) + initial([...second]);
  return [...(first || name || "?")].slice(0, 2).join("");
}
