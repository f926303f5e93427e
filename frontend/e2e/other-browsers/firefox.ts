// The installed Firefox, driven by WebDriver BiDi.

import { type ElementHandle, launch, type Page } from "puppeteer-core";
import { findProgram, type OtherBrowser, type Window } from "./window";

export const firefox = () => findProgram("FIREFOX_PATH", "firefox-esr", "firefox");

export async function startFirefox(executablePath: string): Promise<OtherBrowser> {
  const browser = await launch({ browser: "firefox", executablePath, headless: true, timeout: 90_000 });
  return {
    openTab: async () => new FirefoxWindow(await browser.newPage()),
    quit: () => browser.close(),
  };
}

class FirefoxWindow implements Window {
  constructor(private readonly page: Page) {}

  async goTo(url: string): Promise<void> {
    await this.page.goto(url);
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  async value<T>(expression: string): Promise<T> {
    return (await this.page.evaluate(expression)) as T;
  }

  async type(selector: string, text: string): Promise<void> {
    await (await this.#find(selector)).type(text);
  }

  async pressEnter(selector: string): Promise<void> {
    await (await this.#find(selector)).press("Enter");
  }

  close(): Promise<void> {
    return this.page.close();
  }

  async #find(selector: string): Promise<ElementHandle> {
    const found = await this.page.waitForSelector(selector, { timeout: 60_000 });
    if (!found) throw new Error(`There is no ${selector}.`);
    return found;
  }
}
