import { expect, test } from "vitest";
import { hereSentence, onlineSentence } from "./RoomHeader";

test.each([
  [{ users: 0, guests: 0 }, "Only you here"],
  [{ users: 0, guests: 1 }, "Only you here"],
  [{ users: 1, guests: 0 }, "Only you here"],
  [{ users: 1, guests: 1 }, "1 person and 1 guest here"],
  [{ users: 0, guests: 2 }, "2 guests here"],
  [{ users: 3, guests: 0 }, "3 people here"],
])("with %j in the open room, the header says %j", (online, sentence) => {
  expect(hereSentence(online)).toBe(sentence);
});

test("elsewhere, one person is somebody else", () => {
  expect(onlineSentence({ users: 1, guests: 0 })).toBe("1 person here");
  expect(onlineSentence({ users: 0, guests: 0 })).toBe("Nobody here right now");
});
