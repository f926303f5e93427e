import { Observable } from "./observable";

/** Whether a newer release of this page is known to be there: a reload gets it. */
export const isNewerReleaseThere = new Observable(false);
