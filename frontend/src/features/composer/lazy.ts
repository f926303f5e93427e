// The composer, loaded only for signed-in users: guests cannot write.

import { lazy } from "react";
import { loadChunk } from "../../browser/chunks";
import { session } from "../session/session";

const load = () => loadChunk(() => import("./Composer"));

export const Composer = lazy(() => load().then((module) => ({ default: module.Composer })));

/** A signed-in user needs it right away: it is loaded together with the first room. */
if (session.view.user !== null) void load();
