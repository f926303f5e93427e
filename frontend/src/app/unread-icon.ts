/** The icon of the page with a dot, or with a digit if `sign` is not empty. A data URL, since browsers cache icons. */
export function unreadIcon(sign: string): string {
  const mark =
    sign === ""
      ? '<circle cx="25" cy="7" r="7" fill="#e0662f" stroke="#fff" stroke-width="2"/>'
      : `<circle cx="22" cy="10" r="10" fill="#8a2f86"/><text x="22" y="15.5" font-family="sans-serif" font-size="16" font-weight="700" text-anchor="middle" fill="#fff">${sign}</text>`;
  const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#12705a"/><path d="M22.5 11.2A8 8 0 1 0 24 16h-7" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round"/>${mark}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(icon)}`;
}
