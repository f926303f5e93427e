// Generates `src/realtime/events.ts` from the schema `StreamEvent` of `openapi.json`; part of `npm run api`.
// The client generator makes types only; the stream also has to know at run time which kinds exist.

import { readFileSync, writeFileSync } from "node:fs";

const { schemas } = JSON.parse(readFileSync("openapi.json", "utf8")).components;
const nameOf = ({ $ref }) => $ref.split("/").at(-1);

const events = schemas.StreamEvent.oneOf.map((variant) => {
  const { kind, id, data } = schemas[nameOf(variant)].properties;
  return { kind: kind.enum[0], hasId: id !== undefined, data: nameOf(data) };
});
const dataTypes = [...new Set(events.map(({ data }) => data))].sort();
const keyOf = (kind) => (kind.includes(".") ? JSON.stringify(kind) : kind);

writeFileSync(
  "src/realtime/events.ts",
  `// Generated from \`openapi.json\` by \`npm run api\`; do not edit.

import type {
${[...dataTypes, "StreamEvent"].map((name) => `  ${name},\n`).join("")}} from "../api/gen/types.gen";

export type EventKind = StreamEvent["kind"];

/** The types of \`data\`, by name. */
export interface DataTypes {
${dataTypes.map((name) => `  ${name}: ${name};\n`).join("")}}

/** Every kind: the type of its \`data\`, and whether its frame carries an \`id:\`. */
export const EVENT_KINDS = {
${events.map(({ kind, hasId, data }) => `  ${keyOf(kind)}: { data: "${data}", hasId: ${hasId} },\n`).join("")}} as const satisfies {
  [Kind in EventKind]: { data: keyof DataTypes; hasId: boolean };
};
`,
);
