// The server's rules for new names and passwords, checked while they are typed.

export const NAME_RULE = "3 to 32 characters: a–z, 0–9, dot, dash, underscore";
export const PASSWORD_RULE = "8 to 128 characters";

const NAME = { shortest: 3, longest: 32 };
const PASSWORD = { shortest: 8, longest: 128 };

/** True if nothing that is typed after `name` can make it a valid one. */
export const isHopelessName = (name: string) => /[^a-z0-9_.-]/i.test(name) || name.length > NAME.longest;

export const isValidName = (name: string) =>
  !isHopelessName(name) && name.length >= NAME.shortest && /[a-z0-9]/i.test(name);

export const isHopelessPassword = (password: string) => [...password].length > PASSWORD.longest;

export const isValidPassword = (password: string) =>
  !isHopelessPassword(password) && [...password].length >= PASSWORD.shortest;
