import { beforeEach, expect, test, vi } from "vitest";
import { session } from "../session/session";
import { choice, choose, isNotifying, mayAsk, noteAsked, turnOn } from "./device";

const DAY_MS = 86_400_000;

/** Sets what the browser answers now, and once it is asked. */
function allows(permission: NotificationPermission, answer: NotificationPermission = permission): void {
  const notification = { permission, requestPermission: vi.fn() };
  notification.requestPermission.mockImplementation(async () => {
    notification.permission = answer;
    return answer;
  });
  vi.stubGlobal("Notification", notification);
}

beforeEach(() => {
  Object.defineProperty(navigator, "serviceWorker", { value: {}, configurable: true });
  vi.spyOn(session, "userId", "get").mockReturnValue("ali");
  allows("default", "granted");
});

test("the card asks twice in all, two weeks apart", () => {
  expect(mayAsk(0 + 20 * DAY_MS)).toBe(true);
  noteAsked(20 * DAY_MS);
  expect(mayAsk(33 * DAY_MS)).toBe(false);
  expect(mayAsk(34 * DAY_MS)).toBe(true);
  noteAsked(34 * DAY_MS);
  expect(mayAsk(400 * DAY_MS)).toBe(false);
});

test("the card does not ask where it was decided, nor guests", async () => {
  allows("denied");
  expect(mayAsk()).toBe(false);
  allows("default");
  vi.spyOn(session, "userId", "get").mockReturnValue(null);
  expect(mayAsk()).toBe(false);
  vi.spyOn(session, "userId", "get").mockReturnValue("ali");
  allows("granted");
  await turnOn();
  expect(mayAsk()).toBe(false);
});

test("turning on needs the permission, and each user has a choice of their own", async () => {
  allows("default", "denied");
  await turnOn();
  expect(isNotifying()).toBe(false);
  expect(choice().isOn).toBe(false);
  allows("default", "granted");
  await turnOn();
  expect(isNotifying()).toBe(true);
  choose({ preview: false });
  expect(choice()).toEqual({ isOn: true, preview: false });
  vi.spyOn(session, "userId", "get").mockReturnValue("zoe");
  expect(choice()).toEqual({ isOn: false, preview: true });
});

test("a permission that is withdrawn ends notifications without changing the choice", async () => {
  await turnOn();
  allows("denied");
  expect(isNotifying()).toBe(false);
  expect(choice().isOn).toBe(true);
});
