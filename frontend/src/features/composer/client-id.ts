/**
 * A UUID of version 7: the time, then random bits. The server's index of them grows at its end, where random ones would
 * touch all of it. Not `crypto.randomUUID`, which makes version 4 and is missing on a plain-HTTP address.
 */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  const now = Date.now();
  view.setUint32(0, Math.floor(now / 0x10000));
  view.setUint16(4, now % 0x10000);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70); // RFC 9562, section 5.7: version 7
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80); // and its variant
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
