#!/usr/bin/env bash
# Drives JupyterLab in a headless Chromium: scripts/test-lab.sh [folder for the screenshots].
# Skips, visibly, where Chromium is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
chromium=${CHROMIUM:-$(command -v chromium || true)}
if [[ -z $chromium ]]; then
  echo "test-lab: SKIPPED: needs Chromium (apt-get install chromium)" >&2
  [[ -z ${METAMERS_REQUIRE_DATA-} ]]
  exit
fi
bin=$(go run ./kernel lab --setup-only)
# Playwright's wheel brings a Node.js and the package playwright-core.
work=$PWD/.cache/lab-test
if ! cmp -s kernel/test/lab/requirements.txt "$work/requirements.txt"; then
  rm -rf "$work"
  "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/wheel" -r kernel/test/lab/requirements.txt
  mkdir "$work/node_modules"
  ln -s ../wheel/playwright/driver/package "$work/node_modules/playwright-core"
  cp kernel/test/lab/requirements.txt "$work/"
fi
cp kernel/test/lab/lab.mjs "$work/"
shots=${1:-$work/shots}
mkdir -p "$shots"
home=$(mktemp -d /tmp/lab-test-XXXXXX)
export METAMERS_KERNEL_HISTORY=$home/history.jsonl XDG_RUNTIME_DIR=$home JUPYTER_RUNTIME_DIR=$home/runtime JUPYTER_CONFIG_DIR=$home/config JUPYTER_DATA_DIR=$home/data
# An engine of this checkout only, that ends soon after.
export METAMERS_ENGINE_DIR=$home/engine METAMERS_ENGINE_IDLE=10s METAMERS_RUNS=$home/runs
mkdir "$home/notebooks" "$home/config"
cp notebooks/fig3.ipynb "$home/notebooks/"
echo '{"LabApp": {"news_url": null}}' >"$home/config/jupyter_lab_config.json"
"$bin/python" kernel/test/lab/notebook.py "$home/notebooks/test.ipynb"
# JupyterLab takes the next free port where this one is taken, and its file says which.
PATH=$bin:$PATH "$bin/jupyter-lab" --allow-root --no-browser --ip=127.0.0.1 --port=$((20000 + RANDOM % 10000)) --ServerApp.port_retries=100 --IdentityProvider.token= \
  --LabApp.expose_app_in_browser=True --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate "$home/notebooks" >"$home/log" 2>&1 &
lab=$!
trap 'kill $lab 2>/dev/null; wait $lab 2>/dev/null || true; rm -rf "$home"' EXIT
info=$home/runtime/jpserver-*.json # one, as the folder is new
until url=$("$bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"].rstrip("/"))' $info 2>/dev/null); do
  kill -0 $lab 2>/dev/null || { cat "$home/log" >&2; exit 1; }
  sleep 0.2
done
CHROMIUM=$chromium "$work/wheel/playwright/driver/node" "$work/lab.mjs" "$url" test.ipynb "$shots" plain7_48.mm_c10 plain7_48.mm_c10_linf8 2>"$home/said" || {
  tail -20 "$home/log" >&2
  cat "$home/said" >&2 # last: what failed, and what the cells show
  exit 1
}
echo "test-lab: screenshots in $shots" >&2
