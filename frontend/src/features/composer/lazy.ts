// What only people who write need. Guests, who cannot, do not load it.

import { lazy } from "react";
import { loadChunk } from "../../browser/chunks";
import { session } from "../session/session";

const load = () => loadChunk(() => import("./Composer"));

export const Composer = lazy(() => load().then((module) => ({ default: module.Composer })));

/** A signed-in user needs it right away: it is loaded together with the first room. */
if (session.view.user !== null) void load();
