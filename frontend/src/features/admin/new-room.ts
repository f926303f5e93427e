/** State of a link to the admin's list of rooms that opens the dialog for a new room. */
export const NEW_ROOM = { task: "create" };
