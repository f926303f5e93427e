// The subscription of this browser to the server's pushes, which arrive when no page is open.

import { getPush, subscribeToPush, testPush, unsubscribeFromPush } from "../../api/gen/sdk.gen";
import { answer } from "../../api/problem";
import { session } from "../session/session";
import { choice, isNotifying } from "./device";

/** Makes the subscription what the user chose, and tells the server about it. Fails without a push service. */
export async function adjustSubscription(): Promise<void> {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const registration = await navigator.serviceWorker.getRegistration();
  if (!registration?.active) return;
  const current = await registration.pushManager.getSubscription();
  if (session.userId === null || !isNotifying()) {
    if (current) await end(current);
    return;
  }
  const key = await publicKey();
  if (key === null) {
    await current?.unsubscribe();
    return;
  }
  const isCurrent = current !== null && keyOf(current) === key;
  // A subscription belongs to one key of the server, and cannot be renewed with another.
  if (current && !isCurrent) await current.unsubscribe();
  const subscription = isCurrent ? current : await subscribe(registration, key);
  await put(subscription);
}

/** Returns whether pushes reach this browser while no page of the app is open. */
export async function isSubscribed(): Promise<boolean> {
  const registration = await navigator.serviceWorker?.getRegistration();
  return (await registration?.pushManager?.getSubscription()) != null;
}

/** Asks the server to push a notification to the user's devices. */
export async function pushTest(): Promise<void> {
  await answer(testPush());
}

async function publicKey(): Promise<string | null> {
  return (await answer(getPush())).public_key;
}

function subscribe(registration: ServiceWorkerRegistration, key: string): Promise<PushSubscription> {
  return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

async function put(subscription: PushSubscription): Promise<void> {
  const { endpoint, keys: { p256dh = "", auth = "" } = {} } = subscription.toJSON();
  const { preview } = choice();
  await answer(subscribeToPush({ body: { endpoint: endpoint ?? "", keys: { p256dh, auth }, preview } }));
}

/** Without a session, the server has removed the subscription already. */
async function end(subscription: PushSubscription): Promise<void> {
  const { endpoint } = subscription;
  await subscription.unsubscribe();
  if (session.userId !== null) await answer(unsubscribeFromPush({ body: { endpoint } }));
}

/** The server's key of a subscription, base64url without padding, as the server writes it. */
function keyOf({ options }: PushSubscription): string {
  const bytes = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
