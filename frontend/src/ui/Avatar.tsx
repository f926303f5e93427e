// A person's colour is derived from the name, so that it is the same for everyone everywhere.

const HUES = [25, 55, 95, 145, 195, 235, 275, 345];

const SIZES = {
  small: "size-7 text-xs",
  medium: "size-9 text-sm",
  large: "size-12 text-lg",
};

export function hueOf(name: string): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 257 + (letter.codePointAt(0) ?? 0)) % 9973;
  return HUES[sum % HUES.length] ?? 145;
}

export function Avatar({ name, size = "medium" }: { name: string; size?: keyof typeof SIZES }) {
  const hue = hueOf(name);
  const [letter = "?"] = name.replace(/[^\p{L}\p{N}]/gu, "") || name;
  return (
    <span
      aria-hidden
      className={`inline-grid shrink-0 select-none place-items-center rounded-full font-display font-bold uppercase ${SIZES[size]}`}
      style={{
        background: `light-dark(oklch(0.885 0.062 ${hue}), oklch(0.37 0.068 ${hue}))`,
        color: `light-dark(oklch(0.37 0.098 ${hue}), oklch(0.9 0.07 ${hue}))`,
      }}
    >
      {letter}
    </span>
  );
}
