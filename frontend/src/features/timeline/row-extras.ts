// The parts of a message's row that can come a moment after its text. Room is kept for those that take some.

import { lazy } from "react";
import { loadChunk } from "../../browser/chunks";

const load = () => loadChunk(() => import("./RowExtras"));

export const Actions = lazy(() => load().then((module) => ({ default: module.Actions })));
export const Reactions = lazy(() => load().then((module) => ({ default: module.Reactions })));
export const QuoteLine = lazy(() => load().then((module) => ({ default: module.QuoteLine })));
