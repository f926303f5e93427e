/** The logo: a ring that ends in a dot, in the accent colour of the theme. */
export function Logo({ className = "size-8" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="9" className="fill-accent" />
      <path
        d="M22.5 11.2A8 8 0 1 0 24 16h-7"
        fill="none"
        className="stroke-on-accent"
        strokeWidth="3.2"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <circle cx="24" cy="16" r="2.6" fill="oklch(0.84 0.13 80)" />
    </svg>
  );
}
