import { faceOf } from "./face";

const SIZES = {
  tiny: "size-4 text-[0.4375rem]",
  small: "size-7 text-[0.625rem]",
  medium: "size-9 text-[0.8125rem]",
  large: "size-12 text-base",
};

/** A person's face: two letters of the name on a colour derived from it. */
export function Avatar({ name, size = "medium" }: { name: string; size?: keyof typeof SIZES }) {
  const { letters, light, dark } = faceOf(name);
  return (
    <span
      aria-hidden
      // Generated content is neither copied, nor translated, nor found as text beside a name of two letters.
      data-letters={letters}
      // The border is transparent, and drawn where the system replaces all colours.
      className={`inline-grid shrink-0 select-none place-items-center rounded-full border border-transparent font-display font-bold uppercase before:content-[attr(data-letters)] ${SIZES[size]}`}
      style={{
        background: `light-dark(${css(light.back)}, ${css(dark.back)})`,
        color: `light-dark(${css(light.ink)}, ${css(dark.ink)})`,
      }}
    />
  );
}

const css = ([lightness, chroma, hue]: readonly number[]) => `oklch(${lightness} ${chroma} ${hue})`;
