// Addresses of rooms and messages in the app: `/r/{id}`, `/r/{slug}-{id}` and `/r/{slug}-{id}/{seq}`. The slug is only
// for people: the id alone decides.

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id in the part of an address that names a room. Anything else is returned as it is, and names no room. */
export function roomIdOf(part: string): string {
  return (UUID.exec(part)?.[0] ?? part).toLowerCase();
}

/** The `seq` in an address; null if there is none. */
export function seqOf(part: string | undefined): number | null {
  return part !== undefined && /^[1-9]\d{0,14}$/.test(part) ? Number(part) : null;
}

/** The address of a message, or of the room itself. */
export function messagePath(room: { id: string; slug?: string }, seq: number | null): string {
  return `/r/${room.slug ? `${room.slug}-` : ""}${room.id}${seq === null ? "" : `/${seq}`}`;
}
