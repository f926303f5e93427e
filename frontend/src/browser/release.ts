import { Observable } from "./observable";

/** True if a newer release of this page is known to be available by reloading. */
export const isNewerReleaseThere = new Observable(false);
