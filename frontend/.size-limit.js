import { readFileSync } from "node:fs";

// Everything that a first visit loads before it can show a room: what the page itself names.
const page = readFileSync("dist/index.html", "utf8");
const scripts = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, path]) => `dist/${path}`);

export default [{ name: "initial JavaScript", path: scripts, gzip: true, limit: "150 kB" }];
