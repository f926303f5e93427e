import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { connectClient } from "../../api/client";
import { server, usesServer } from "../../testing/server";
import { session } from "../session/session";
import { choose } from "./device";
import { adjustSubscription } from "./push";

usesServer();

/** "AQID" and "BAUG", as the server writes them. */
const [KEY, OTHER_KEY] = ["AQID", "BAUG"];
const BYTES: Record<string, number[]> = { [KEY]: [1, 2, 3], [OTHER_KEY]: [4, 5, 6] };

let requests: unknown[];
let key: string | null;
let subscription: ReturnType<typeof aSubscription> | null;

function aSubscription(key: string) {
  const endpoint = `https://push.example.org/${key}`;
  return {
    endpoint,
    options: { applicationServerKey: new Uint8Array(BYTES[key] ?? []).buffer },
    toJSON: () => ({ endpoint, keys: { p256dh: "p", auth: "a" } }),
    unsubscribe: async () => {
      subscription = null;
      return true;
    },
  };
}

beforeEach(() => {
  [requests, key, subscription] = [[], KEY, null];
  const pushManager = {
    getSubscription: async () => subscription,
    subscribe: async ({ applicationServerKey }: { applicationServerKey: string }) => {
      subscription = aSubscription(applicationServerKey);
      return subscription;
    },
  };
  const getRegistration = async () => ({ active: {}, pushManager });
  Object.defineProperty(navigator, "serviceWorker", { value: { getRegistration }, configurable: true });
  vi.stubGlobal("PushManager", class {});
  vi.stubGlobal("Notification", { permission: "granted" });
  vi.spyOn(session, "userId", "get").mockReturnValue("ali");
  connectClient(session);
  choose({ isOn: true, preview: true });
  server.use(
    http.get("*/push", () => HttpResponse.json({ public_key: key })),
    http.all("*/push/subscriptions", async ({ request }) => {
      requests.push([request.method, await request.json()]);
      return new HttpResponse(null, { status: 204 });
    }),
  );
});

const put = (key: string, preview = true) => [
  "PUT",
  { endpoint: `https://push.example.org/${key}`, keys: { p256dh: "p", auth: "a" }, preview },
];

test("a browser that may notify is subscribed, and again if the key changed", async () => {
  await adjustSubscription();
  expect(requests).toEqual([put(KEY)]);
  choose({ preview: false });
  await adjustSubscription();
  expect(requests.slice(1)).toEqual([put(KEY, false)]);
  key = OTHER_KEY;
  await adjustSubscription();
  expect(requests.slice(2)).toEqual([put(OTHER_KEY, false)]);
});

test("turning off ends the subscription here and on the server", async () => {
  await adjustSubscription();
  choose({ isOn: false });
  await adjustSubscription();
  expect(subscription).toBeNull();
  expect(requests.slice(1)).toEqual([["DELETE", { endpoint: `https://push.example.org/${KEY}` }]]);
});

test("signing out ends it here; the server has ended it with the session", async () => {
  await adjustSubscription();
  vi.spyOn(session, "userId", "get").mockReturnValue(null);
  await adjustSubscription();
  expect(subscription).toBeNull();
  expect(requests).toHaveLength(1);
});

test("a server without push has no subscriptions", async () => {
  key = null;
  await adjustSubscription();
  expect(subscription).toBeNull();
  expect(requests).toEqual([]);
});
