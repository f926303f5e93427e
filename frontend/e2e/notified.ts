// Notifications as a test sees them.

import type { Person } from "./person";

/** Returns the notifications that the browser shows, by tag. */
export async function shownTo({ page }: Person): Promise<Record<string, { title: string; body: string }>> {
  return page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const shown = await registration.getNotifications();
    return Object.fromEntries(shown.map(({ tag, title, body }) => [tag, { title, body }]));
  });
}

/** Waits for the worker, and for the part of the app that notifies, which is loaded when the page has settled. */
export async function isPrepared({ page }: Person): Promise<void> {
  await page.evaluate(async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
    const registration = await navigator.serviceWorker.ready;
    while (registration.active?.state !== "activated") await pause();
    const isNotifying = async () =>
      (await navigator.locks.query()).held?.some(({ name }) => name === "gapless.notifier");
    while (!(await isNotifying())) await pause();
  });
}

export async function allows({ page }: Person): Promise<void> {
  await page.context().grantPermissions(["notifications"]);
}

export async function turnsOn(person: Person): Promise<void> {
  await person.goesTo("/settings");
  await person.page.getByRole("checkbox", { name: "Notify me on this device" }).check();
}
