// Has axe-core look at every page of a folder: node site-axe.mjs AXE SITE [SCREENSHOTS].
import { chromium } from 'playwright-core';
import { globSync, readFileSync, mkdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { basename, resolve } from 'node:path';

const [axe, site, shots] = process.argv.slice(2);
const source = readFileSync(axe, 'utf8');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
const pages = globSync(`${site}/**/*.html`).filter(p => basename(p) != '404.html'); // its files have absolute paths
let looks = 0, bad = 0;
for (const [width, colorScheme] of [[360, 'light'], [1280, 'dark']]) {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  page.setDefaultTimeout(300_000);
  for (const file of pages) {
    await page.goto(pathToFileURL(resolve(file)).href);
    await page.waitForFunction(() => document.querySelector('.md-search[aria-label]')
      && [...document.querySelectorAll('.md-typeset table:not([class])')].every(t => t.closest('[tabindex]'))); // the theme and site.js are done
    await page.evaluate(source);
    const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    looks++;
    for (const v of found.violations.filter(v => ['serious', 'critical'].includes(v.impact))) {
      bad++;
      console.error(`${file}, ${width} pixels, ${colorScheme}: ${v.id} (${v.impact}): ${v.help}`);
      for (const n of v.nodes.slice(0, 3)) console.error(`  ${n.target.join(' ')}: ${n.any.map(a => a.message).join('; ') || n.failureSummary}`);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) {
      bad++;
      console.error(`${file}, ${width} pixels: the page is ${wide} pixels wider than the window`);
    }
    if (shots) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: `${shots}/${basename(file, '.html')}-${width}-${colorScheme}.png`, fullPage: false });
    }
  }
  await page.close();
}
await browser.close();
console.error(`site: axe-core looked ${looks} times at ${pages.length} pages: ${bad} serious findings`);
process.exit(bad || !pages.length ? 1 : 0);
