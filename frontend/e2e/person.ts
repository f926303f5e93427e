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
    await expect(this.page.getByTestId("connection")).toHaveAttribute("data-status", /live|caught-up/, {
      timeout: 30_000,
    });
  }

  async signsIn({ username, password }: Pick<Account, "username" | "password">): Promise<void> {
    await this.goesTo("/sign-in");
    await this.page.getByLabel("Username").fill(username);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    // Wait until the page is left; the next one depends on where the person came from.
    await expect(this.page).not.toHaveURL(/sign-in/);
    await this.isLive();
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

  /** Collects all messages of the timeline in order by scrolling: the list renders only visible rows. */
  async readsAll(): Promise<string[]> {
    const seen = new Map<string, string>();
    const collect = async () => {
      const rows = await this.page.getByRole("article").evaluateAll((articles) =>
        articles.map((article) => ({
          id: article.getAttribute("data-message") ?? "unsent",
          top: article.getBoundingClientRect().top,
          text: article.querySelector(".prose-chat")?.textContent?.trim() ?? "",
        })),
      );
      for (const { id, text } of rows.sort((a, b) => a.top - b.top)) seen.set(id, text);
    };
    const scrollTo = (top: number) => this.log.evaluate((log, to) => log.scrollTo(0, to), top);
    let height = 0;
    for (let next = await this.#height(); next !== height; next = await this.#height()) {
      height = next;
      await scrollTo(0);
      await this.page.waitForTimeout(300);
    }
    for (let top = 0; top < height; top += 300) {
      await scrollTo(top);
      await this.page.waitForTimeout(50);
      await collect();
    }
    await collect();
    return [...seen.values()];
  }

  #height(): Promise<number> {
    return this.log.evaluate((log) => log.scrollHeight);
  }
}

interface Fixtures {
  api: Api;
  /** A person in a separate browser context, a guest until they sign in. */
  person(options?: { url?: string }): Promise<Person>;
}

export const test = base.extend<Fixtures>({
  api: async ({ baseURL }, use) => {
    await use(new Api(baseURL ?? ""));
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
  return context.newPage();
}

export { expect };
