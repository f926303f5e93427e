// The address of the API, decided at run time so that one build works in every deployment.

declare global {
  interface Window {
    GAPLESS_CONFIG?: { apiUrl?: string };
  }
}

/** The API's base address without a trailing slash: `/config.js`, then the build's setting, then this origin. */
export function apiAddress(): string {
  const address = window.GAPLESS_CONFIG?.apiUrl || import.meta.env.VITE_API_URL || window.location.origin;
  return address.replace(/\/+$/, "");
}
