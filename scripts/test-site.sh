#!/usr/bin/env bash
# Builds the site and has axe-core look at every page in a headless Chromium, as on a phone
# (light) and on a desktop (dark): scripts/test-site.sh [folder for screenshots]. A serious
# or critical finding is an error. Skips axe-core, visibly, without Chromium or npm.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/site.sh
for program in chromium npm; do
  command -v $program >/dev/null && continue
  echo "test-site: SKIPPED: needs $program (apt-get install $program)" >&2
  [[ -z ${METAMERS_REQUIRE_DATA-} ]]
  exit
done
work=$PWD/.cache/site-test
version=4.14.1
if [[ ! -f $work/axe-$version ]]; then
  rm -rf "$work"
  mkdir -p "$work/node_modules"
  (cd "$work" && npm pack --silent axe-core@$version >/dev/null && tar -xzf axe-core-$version.tgz package/axe.min.js)
  # Playwright's wheel brings a Node.js and the package playwright-core.
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/wheel" -r kernel/test/lab/requirements.txt
  ln -s ../wheel/playwright/driver/package "$work/node_modules/playwright-core"
  touch "$work/axe-$version"
fi
cp scripts/site-axe.mjs "$work/"
CHROMIUM=$(command -v chromium) "$work/wheel/playwright/driver/node" "$work/site-axe.mjs" "$work/package/axe.min.js" out/site "$@"
