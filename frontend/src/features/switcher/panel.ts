import { Observable } from "../../browser/observable";

/** The panel that is open over the page: the switcher, or the list of keys. */
export const openPanel = new Observable<"switcher" | "keys" | null>(null);
