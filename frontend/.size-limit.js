import { readFileSync } from "node:fs";

// The initial JavaScript: all scripts that the page itself references.
const page = readFileSync("dist/index.html", "utf8");
const scripts = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map(([, path]) => `dist/${path}`);

export default [{ name: "initial JavaScript", path: scripts, gzip: true, limit: "150 kB" }];
