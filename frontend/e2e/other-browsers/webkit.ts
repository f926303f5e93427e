// WebKitGTK's MiniBrowser, driven by WebKitWebDriver, on a virtual screen.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Builder, By, Key, until, type WebDriver, type WebElement } from "selenium-webdriver";
import { freePort } from "../server";
import { findProgram, type OtherBrowser, type Window } from "./window";

export interface WebKit {
  driver: string;
  screen: string;
  browser: string;
}

/** Programs that the tests need, if all of them are installed. */
export function webkit(): WebKit | undefined {
  const driver = findProgram("WEBKIT_DRIVER_PATH", "WebKitWebDriver");
  const screen = findProgram("XVFB_PATH", "Xvfb");
  const browser = findMiniBrowser();
  return driver && screen && browser ? { driver, screen, browser } : undefined;
}

/** Finds the browser that comes with the library, in a separate directory that is not on the path. */
function findMiniBrowser(): string | undefined {
  const libraries = ["/usr/lib", "/usr/lib64", "/usr/libexec"].filter((path) => existsSync(path));
  const directories = libraries.flatMap((path) => [
    path,
    ...readdirSync(path)
      .filter((name) => name.endsWith("-linux-gnu"))
      .map((name) => join(path, name)),
  ]);
  const versions = ["webkit2gtk-4.1", "webkitgtk-6.0", "webkit2gtk-4.0"];
  return directories
    .flatMap((path) => versions.map((version) => join(path, version, "MiniBrowser")))
    .find((path) => existsSync(path));
}

/** The virtual screen has no graphics card. */
const WITHOUT_GPU = {
  WEBKIT_DISABLE_COMPOSITING_MODE: "1",
  WEBKIT_DISABLE_DMABUF_RENDERER: "1",
  LIBGL_ALWAYS_SOFTWARE: "1",
};

export async function startWebKit({ driver, screen, browser }: WebKit): Promise<OtherBrowser> {
  const display = spawn(screen, ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const number = await new Promise<string>((resolve, reject) => {
    display.stdio[3]?.once("data", (printed) => resolve(String(printed).trim()));
    display.once("exit", () => reject(new Error("Xvfb did not start.")));
  });
  const port = await freePort();
  const service = spawn(driver, [`--port=${port}`], {
    env: { ...process.env, ...WITHOUT_GPU, DISPLAY: `:${number}` },
    stdio: "ignore",
  });
  await isListening(port);
  const session = await new Builder()
    .usingServer(`http://127.0.0.1:${port}`)
    .withCapabilities({
      browserName: "MiniBrowser",
      "webkitgtk:browserOptions": { binary: browser, args: ["--automation"] },
    })
    .build();
  await session.manage().setTimeouts({ pageLoad: 60_000, script: 60_000 });
  let isFirst = true;
  return {
    openTab: async () => {
      // Open a separate window: one hidden behind another tab is not painted.
      if (!isFirst) await session.switchTo().newWindow("window");
      isFirst = false;
      return new WebKitWindow(session, await session.getWindowHandle());
    },
    quit: async () => {
      // A page that hangs blocks the end of the session; its programs are ended anyway.
      await Promise.race([session.quit().catch(() => {}), new Promise((done) => setTimeout(done, 5_000))]);
      await end(service);
      await end(display);
    },
  };
}

class WebKitWindow implements Window {
  constructor(
    private readonly session: WebDriver,
    private readonly handle: string,
  ) {}

  async goTo(url: string): Promise<void> {
    await this.#come();
    await this.session.get(url);
  }

  async reload(): Promise<void> {
    await this.#come();
    await this.session.navigate().refresh();
  }

  async value<T>(expression: string): Promise<T> {
    await this.#come();
    return this.session.executeScript<T>(`return ${expression}`);
  }

  async type(selector: string, text: string): Promise<void> {
    await (await this.#find(selector)).sendKeys(text);
  }

  async pressEnter(selector: string): Promise<void> {
    await (await this.#find(selector)).sendKeys(Key.ENTER);
  }

  async close(): Promise<void> {
    await this.#come();
    await this.session.close();
  }

  /** A session controls one window at a time. */
  async #come(): Promise<void> {
    await this.session.switchTo().window(this.handle);
  }

  async #find(selector: string): Promise<WebElement> {
    await this.#come();
    return this.session.wait(until.elementLocated(By.css(selector)), 60_000);
  }
}

async function isListening(port: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answered = await fetch(`http://127.0.0.1:${port}/status`).then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (Date.now() > deadline) throw new Error("WebKitWebDriver did not start.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await Promise.race([exited, new Promise((done) => setTimeout(done, 2_000))]);
  child.kill("SIGKILL");
}
