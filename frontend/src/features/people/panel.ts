import { Observable } from "../../browser/observable";

/** Whether the list of the people in the open room is shown. */
export const isHereOpen = new Observable(false);
