// Generates the icons of the installed app from the logo: `node generate-icons.js`, after a change of the logo.

import { mkdirSync, readFileSync } from "node:fs";
import { chromium } from "@playwright/test";

const ICONS = [
  { name: "icon-192", size: 192 },
  { name: "icon-512", size: 512 },
  // The system cuts a maskable icon to its own shape: the logo has to stay within the inner 80 %.
  { name: "maskable-512", size: 512, isWhole: true },
  { name: "apple-touch-icon", size: 180, isWhole: true },
];

const logo = readFileSync("public/favicon.svg", "utf8");
const whole = logo
  .replace('rx="9"', 'rx="0"')
  .replace('viewBox="0 0 32 32"', 'viewBox="-2 -2 36 36"')
  .replace("<rect", '<rect x="-2" y="-2" style="width:36px;height:36px"');

mkdirSync("public/icons", { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH });
const page = await browser.newPage();
for (const { name, size, isWhole } of ICONS) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<style>body { margin: 0 } svg { display: block; width: ${size}px; height: ${size}px }</style>${isWhole ? whole : logo}`,
  );
  await page.screenshot({ path: `public/icons/${name}.png`, omitBackground: true });
}
await browser.close();
