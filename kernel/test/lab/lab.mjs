// Drives a real JupyterLab in a headless Chromium: value of a cell, live output,
// pictures, completion, inspection, errors, input, interrupt, variables, restart; then
// fig3 with other model sets.
//   node lab.mjs URL NOTEBOOK SCREENSHOT_FOLDER MODEL MODEL
import { chromium } from 'playwright-core';
import assert from 'node:assert/strict';

const [url, notebook, shots, ...models] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
page.setDefaultTimeout(600_000); // for what hangs: nothing here depends on how fast the machine is
const problems = [];
page.on('pageerror', e => problems.push(String(e)));
let shot = 0;
const look = async name => page.screenshot({ path: `${shots}/${++shot}-${name}.png` });
const command = (id, args = {}) => page.evaluate(([id, args]) => { window.jupyterapp.commands.execute(id, args); }, [id, args]);
const status = text => page.waitForFunction(text => document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator')?.getAttribute('data-status') === text, text);
// Code cells are counted, from 0.
const cell = n => page.locator('.jp-Notebook .jp-CodeCell').nth(n);
const output = n => cell(n).locator('.jp-OutputArea');
const run = async (n, code) => {
  await cell(n).locator('.cm-content').click();
  if (code !== undefined) {
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(code);
  }
  await page.keyboard.press('Control+Enter');
};
const says = async (n, text) => page.waitForFunction(([n, text]) => document.querySelectorAll('.jp-Notebook .jp-CodeCell')[n]?.querySelector('.jp-OutputArea')?.textContent.includes(text), [n, text])
  .catch(() => { throw new Error(`cell ${n} does not say ${JSON.stringify(text)}`); });
// What a failed step leaves to look at: the kernel's state and what every cell shows.
const tell = async () => {
  await look('failed').catch(e => console.error(String(e)));
  const now = await page.evaluate(() => ({
    status: document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator')?.getAttribute('data-status'),
    dialog: document.querySelector('.jp-Dialog')?.textContent,
    cells: [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map(c => ({
      prompt: c.querySelector('.jp-InputPrompt')?.textContent,
      outputs: [...c.querySelectorAll('.jp-OutputArea-output')].map(o => o.textContent.trim().slice(0, 500) || o.innerHTML.slice(0, 80)),
    })),
  }));
  console.error(`kernel: ${now.status}${now.dialog ? `, dialog: ${now.dialog}` : ''}`);
  for (const c of now.cells) console.error(`${c.prompt} ${JSON.stringify(c.outputs)}`);
};
const open = async notebook => {
  await page.goto(`${url}/lab/tree/${notebook}?reset`);
  await page.waitForSelector('.jp-Notebook .jp-Cell');
};
const restart = async () => {
  const restarted = page.evaluate(() => window.jupyterapp.commands.execute('notebook:restart-kernel').then(() => {}));
  await page.locator('.jp-Dialog .jp-mod-accept').click();
  await restarted;
  await status('idle');
};
const idle = () => page.waitForFunction(() => document.body.textContent.includes('Go (metamers) | Idle'));
const step = async (name, f) => {
  const t = Date.now();
  try {
    await f();
  } catch (e) {
    console.error(`FAILED ${name} (${Date.now() - t} ms): ${e.message}`);
    await tell().catch(e => console.error(String(e)));
    throw e;
  }
  console.log(`ok ${name} (${Date.now() - t} ms)`);
};

// The model sets of fig3 changed in their cell: progress, interrupt, curves, and the
// same curves at once after a restart.
const figure3 = async (a, b) => {
  const plan = (sets, steps) => `import mk "github.com/ensemble-metamers/metamers/metamerkit"

var plan = mk.Plan{
	Images: "photos:8", Size: 32,
	Sets: [][]string{${sets.map(s => `{"${s}"}`).join(', ')}},
	Observers: []string{"${a}", "${b}"}, Measures: []string{"recognizability"},
	Settings: mk.Settings{Steps: ${steps}},
}`;
  const picture = n => cell(n).locator('.jp-OutputArea img[src^="data:image/png"]').first();
  const draw = async (sets, steps, before) => {
    await run(0, plan(sets, steps));
    await run(1);
    await page.waitForFunction(([n, before]) => {
      const img = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[n].querySelector('.jp-OutputArea-executeResult img');
      return img && img.src !== before;
    }, [1, before]);
    await status('idle');
    return picture(1).getAttribute('src');
  };
  let committed, one, two;
  await step('fig3: opens with its curves', async () => {
    await open('fig3.ipynb');
    await idle();
    committed = await picture(1).getAttribute('src');
    await look('fig3');
  });
  await step('fig3: live progress', async () => {
    await run(0, plan([a], 1_000_000));
    await run(1);
    await cell(1).locator('.jp-OutputArea progress').waitFor();
    await says(1, a + ', early');
    await look('fig3-progress');
  });
  await step('fig3: interrupt', async () => {
    await command('notebook:interrupt-kernel');
    await says(1, 'stopped after');
    await status('idle');
    await look('fig3-interrupt');
  });
  await step('fig3: a model set', async () => { one = await draw([a], 30, committed); await look('fig3-one-set'); });
  await step('fig3: a changed model set, a changed curve', async () => {
    two = await draw([a, b], 30, one);
    await look('fig3-two-sets');
  });
  await step('fig3: after a restart the same, from what is stored', async () => {
    await restart();
    const again = await draw([a, b], 30, '');
    assert.equal(again, two);
  });
};

try {
  await open(notebook);
  await step('kernel is idle', idle);
  await step('value of the last expression', async () => {
    await run(0);
    await says(0, '42');
    assert.equal(await output(0).locator('.jp-OutputArea-prompt').first().textContent(), '[1]:');
  });
  await step('edited cell', async () => { await run(0, 'x := 6\nx * 8'); await says(0, '48'); });
  await step('pictures', async () => {
    await run(1);
    await cell(1).locator('img[src^="data:image/png"]').waitFor();
    await cell(1).locator('.jp-RenderedSVG').waitFor();
    await look('pictures');
  });
  await step('live output', async () => {
    await run(2);
    await says(2, 'step 3 of 10');
    await look('live');
    await page.locator('.jp-Stdin-input').press('Enter');
    await says(2, 'done');
    assert.equal(await output(2).locator('progress').count(), 1);
  });
  await step('completion', async () => {
    await cell(3).locator('.cm-content').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText('strings.Rep');
    // gopls may still be loading: ask again until it has something to say.
    for (const began = Date.now(); ;) {
      await page.keyboard.press('Tab');
      try {
        await page.waitForSelector('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item', { timeout: 15_000 });
        break;
      } catch (e) {
        if (Date.now() - began > 600_000) { await look('failed'); throw e; }
        await page.keyboard.press('Escape');
        await page.keyboard.press('Enter');
        await page.keyboard.press('Control+A');
        await page.keyboard.insertText('strings.Rep');
      }
    }
    await look('completion');
    const items = await page.locator('.jp-Completer-item').allTextContents();
    assert(items.some(i => i.includes('Repeat')), String(items));
    await page.keyboard.press('Escape');
  });
  await step('inspection', async () => {
    await run(3, 'strings.Repeat("ab", 3)');
    await says(3, 'ababab');
    await cell(3).locator('.cm-content').click();
    await page.keyboard.press('Home');
    for (let i = 0; i < 10; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+Tab');
    await page.waitForSelector('.jp-Tooltip');
    await look('inspection');
    assert((await page.locator('.jp-Tooltip').textContent()).includes('Repeat'));
    await page.keyboard.press('Escape');
  });
  await step('error', async () => { await run(4); await says(4, 'integer divide by zero'); await says(4, 'line 2, in half'); await look('error'); });
  await step('input', async () => {
    await run(5);
    const box = page.locator('.jp-Stdin-input');
    await box.waitFor();
    await look('input');
    await box.fill('Ada');
    await box.press('Enter');
    await says(5, 'Hello Ada');
  });
  await step('interrupt', async () => {
    await run(6);
    await says(6, 'sleeping');
    await status('busy');
    await command('notebook:interrupt-kernel');
    await says(6, 'Interrupted');
    await status('idle');
    await look('interrupt');
  });
  await step('variables stay, also those of an interrupted loop', async () => {
    await run(9);
    await run(10);
    await says(10, 'turning');
    await command('notebook:interrupt-kernel');
    await says(10, 'Interrupted');
    await status('idle');
    await run(11);
    await says(11, 'true map[1000:a thousand]');
    await run(11, 'turns = -1\nturns');
    await says(11, '-1');
    await run(11, '%vars');
    await says(11, 'map[int]string');
    await look('variables');
  });
  await step('restart', async () => {
    await run(7);
    await says(7, 'kept');
    await restart();
    await run(8);
    await says(8, 'undefined: kept');
    await run(0);
    await says(0, '48');
    await look('restart');
  });
  await step('pager', async () => {
    await run(8, '%help');
    await page.waitForFunction(() => document.body.textContent.includes('makes another module known'));
    await look('help');
  });
  await figure3(...models);
  assert.deepEqual(problems, []);
} finally {
  await browser.close();
}
