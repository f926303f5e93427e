import { expect, test } from "vitest";
import type { AuditEntry } from "../../api/gen/types.gen";
import { ALI, ZOE } from "../../testing/wire";
import { told } from "./audit-sentence";

const ROOM = { id: "room-1", name: "Coffee corner" };
const anEntry = (entry: Partial<AuditEntry>): AuditEntry => ({
  pos: 7,
  kind: "user.muted",
  at: "2026-11-22T09:00:00Z",
  actor: ALI,
  room: null,
  user: null,
  message_id: null,
  detail: null,
  ...entry,
});
const sentence = (entry: Partial<AuditEntry>) =>
  told(anEntry(entry))
    .map(({ text }) => text)
    .join("");

test.each([
  ["user.unmuted", { reason: null }, "ali unmuted zoe"],
  ["user.unbanned", { reason: null }, "ali unbanned zoe"],
  ["user.banned", { reason: "spam" }, "ali banned zoe: spam"],
  ["user.banned", null, "ali banned zoe"],
  ["user.role_set", { from: "user", role: "admin" }, "ali changed the role of zoe from user to admin"],
  ["user.role_set", { role: "admin" }, "ali changed the role of zoe to admin"],
  ["user.nudged", { reason: "asleep" }, "ali user nudged zoe: asleep"],
])("%s with %j is told as %s", (kind, detail, text) => {
  expect(sentence({ kind, detail, user: ZOE })).toBe(text);
});

test.each([
  ["room.created", { name: "Water cooler" }, "ali created the room “Water cooler”"],
  ["room.created", null, "ali created the room “Coffee corner”"],
  [
    "room.renamed",
    { from: "Water cooler", to: "Coffee corner" },
    "ali renamed the room “Water cooler” to “Coffee corner”",
  ],
  [
    "room.retention_set",
    { from: null, days: 7 },
    "ali changed message retention in “Coffee corner” from the server default to 7 days",
  ],
  [
    "room.retention_set",
    { from: 7, days: 0 },
    "ali changed message retention in “Coffee corner” from 7 days to forever",
  ],
  ["room.landing_set", { name: "Tea", from: null }, "ali made “Tea” the landing room"],
  ["room.landing_set", { name: "Tea", from: "Milk" }, "ali made “Tea” the landing room instead of “Milk”"],
  ["room.indexable_set", { name: "Tea", indexable: false }, "ali asked search engines not to list “Tea”"],
  ["room.indexable_set", { name: "Tea", indexable: true }, "ali let search engines list “Tea”"],
  ["room.topic_set", { from: "", to: "Tea" }, "ali changed the topic of “Coffee corner” to “Tea”"],
  [
    "room.topic_set",
    { from: "Tea", to: "Milk" },
    "ali changed the topic of “Coffee corner” from “Tea” to “Milk”",
  ],
  ["room.topic_set", { from: "Tea", to: "" }, "ali removed the topic of “Coffee corner” (it was “Tea”)"],
])("%s with %j is told as %s", (kind, detail, text) => {
  expect(sentence({ kind, detail, room: ROOM })).toBe(text);
});

test("a mute is told with its duration, its end and its reason", () => {
  const detail = { until: "2026-11-22T09:10:00Z", reason: "too loud" };
  expect(sentence({ detail, user: ZOE })).toMatch(/^ali muted zoe for 10 minutes, until .*2026.*: too loud$/);
});

test("what the system did is told without a person", () => {
  expect(sentence({ kind: "sessions.ended", actor: null, user: ZOE })).toBe(
    "The system ended the sessions of zoe",
  );
});

test("rooms and people are links", () => {
  expect(told(anEntry({ kind: "room.archived", room: ROOM })).at(2)).toMatchObject({ to: "/r/room-1" });
  expect(told(anEntry({ kind: "user.banned", user: ZOE })).at(2)).toMatchObject({
    to: "/admin/users?query=zoe",
  });
});
