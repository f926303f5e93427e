// A person at a browser. Tests are written in terms of what people do and see.

import {
  type Browser,
  type BrowserContext,
  test as base,
  expect,
  type Locator,
  type Page,
} from "@playwright/test";
import { type Account, Api, type Room } from "./api";

export class Person {
  constructor(
    readonly page: Page,
    private readonly url: string,
  ) {}

  async opens(room: Room): Promise<void> {
    await this.page.goto(`${this.url}/r/${room.id}`);
    await this.isLive();
  }

  /** Another tab of the same browser. */
  async opensTab(): Promise<Person> {
    return new Person(await this.page.context().newPage(), this.url);
  }

  async goesTo(path: string): Promise<void> {
    await this.page.goto(this.url + path);
  }

  async isLive(): Promise<void> {
    // The app gives a stream 30 s to begin before it opens another one.
    await expect(this.page.getByTestId("connection")).toHaveAttribute("data-status", /live|caught-up/, {
      timeout: 60_000,
    });
  }

  async signsIn({ username, password }: Pick<Account, "username" | "password">): Promise<void> {
    await this.goesTo("/sign-in");
    await this.page.getByLabel("Username").fill(username);
    await this.page.getByLabel("Password").fill(password);
    const button = this.page.getByRole("button", { name: "Sign in" });
    await button.click();
    const isBusy = this.page.getByRole("alert").filter({ hasText: "temporarily unavailable" });
    // Wait until the page is left; the next one depends on where the person came from.
    await expect(async () => {
      // On a busy machine the database may take too long, and the server asks to try again.
      if (await isBusy.isVisible()) await button.click({ timeout: 1_000 });
      await expect(this.page).not.toHaveURL(/sign-in/, { timeout: 3_000 });
    }).toPass({ timeout: 60_000 });
    await this.isLive();
  }

  /** Picks an action from the menu of a row, such as that of a room or a person. */
  async picks(task: string, row: string): Promise<void> {
    await this.page.getByRole("button", { name: `Actions for ${row}` }).click();
    await this.page.getByRole("menuitem", { name: task }).click();
  }

  async writes(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  async sees(text: string): Promise<void> {
    await expect(this.message(text)).toBeVisible();
  }

  async seesSent(text: string): Promise<void> {
    await expect(this.message(text)).toHaveAttribute("data-state", "sent");
  }

  async doesNotSee(text: string): Promise<void> {
    await expect(this.page.getByText(text)).toHaveCount(0);
  }

  message(text: string): Locator {
    return this.page.getByRole("article").filter({ hasText: text });
  }

  get field(): Locator {
    return this.page.getByRole("textbox", { name: /^(Message|Private message to) / });
  }

  get log(): Locator {
    return this.page.getByRole("log");
  }

  /** Collects all messages of the room in order by scrolling: the list renders only visible rows. */
  async readsAll(): Promise<string[]> {
    const beginning = this.log.getByText(/^This is the beginning of the room\.$|^No messages yet/);
    await expect(async () => {
      // An older page that has loaded moves the rows down.
      await this.log.evaluate((log) => log.scrollTo(0, 0));
      await expect(beginning).toBeVisible({ timeout: 200 });
    }).toPass({ timeout: 60_000 });
    const seen = new Map<string, string>();
    for (let top = 0, isEnd = false; !isEnd; top += 300) {
      const found = await this.log.evaluate(readAt, top);
      for (const { id, text } of found.rows) seen.set(id, text);
      isEnd = found.isEnd;
    }
    return [...seen.values()];
  }

  /** Waits until the timeline has neither scrolled nor changed its height for a while, and returns its position. */
  async isStill(): Promise<number> {
    return this.log.evaluate(async (log) => {
      const QUIET_FRAMES = 30;
      const QUIET_MS = 700;
      let [frames, since, last] = [0, performance.now(), ""];
      // A page that gets no CPU has no frames either, so time alone would not do.
      while (frames < QUIET_FRAMES || performance.now() - since < QUIET_MS) {
        await new Promise(requestAnimationFrame);
        const now = `${log.scrollTop} ${log.scrollHeight} ${log.clientHeight}`;
        if (now === last) frames += 1;
        else [frames, since, last] = [0, performance.now(), now];
      }
      return log.scrollTop;
    });
  }
}

/** Scrolls to `top`, waits until rows fill the visible part, and returns the rendered messages from top to bottom. */
async function readAt(log: Element, top: number) {
  log.scrollTo(0, top);
  const isFilled = () => {
    const view = log.getBoundingClientRect();
    const places = [...log.querySelectorAll(".column")].map((row) => row.getBoundingClientRect());
    const isFirst = log.scrollTop < 1 || places.some((place) => place.top <= view.top + 1);
    const isLast = isAtEnd() || places.some((place) => place.bottom >= view.bottom - 1);
    return isFirst && isLast;
  };
  const isAtEnd = () => log.scrollTop + log.clientHeight >= log.scrollHeight - 1;
  // The scroll event that makes the list render comes with the next frame.
  do {
    await new Promise(requestAnimationFrame);
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (!isFilled());
  const rows = [...log.querySelectorAll("article")].map((article) => ({
    id: article.getAttribute("data-message") ?? "unsent",
    top: article.getBoundingClientRect().top,
    text: article.querySelector(".prose-chat")?.textContent?.trim() ?? "",
  }));
  return { rows: rows.sort((a, b) => a.top - b.top), isEnd: isAtEnd() };
}

interface Fixtures {
  api: Api;
  /** A person in a separate browser context, a guest until they sign in. */
  person(options?: { url?: string }): Promise<Person>;
}

export const test = base.extend<Fixtures>({
  api: async ({ baseURL }, use) => {
    const api = new Api(baseURL ?? "");
    await use(api);
    await api.clearsUp();
  },
  person: async ({ browser, baseURL }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async ({ url = baseURL ?? "" } = {}) => {
      const page = await pageOf(browser, contexts);
      return new Person(page, url);
    });
    for (const context of contexts) await context.close();
  },
});

async function pageOf(browser: Browser, contexts: BrowserContext[]): Promise<Page> {
  const context = await browser.newContext();
  contexts.push(context);
  await context.addInitScript(endStreamsOffline);
  return context.newPage();
}

/** Playwright's `setOffline` refuses new requests only; a stream that is open would go on. */
function endStreamsOffline(): void {
  const open = new Set<EventSource>();
  window.EventSource = class extends EventSource {
    constructor(url: string | URL, options?: EventSourceInit) {
      super(url, options);
      open.add(this);
    }
  };
  window.addEventListener("offline", () => {
    for (const stream of open) stream.close();
  });
}

export { expect };
