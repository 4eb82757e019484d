#!/usr/bin/env bash
# Runs every notebook headless from a clean state, in the order of their names, and
# holds the committed outputs against what comes. With --write the new outputs are
# kept. With --imagenet each has the cell that it proposes for models of ImageNet, on
# few photographs and with few steps unless METAMERS_LONG=1, or is skipped, visibly,
# where their weights are missing. Further arguments name single notebooks.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(go run ./kernel lab --setup-only)
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
export METAMERS_RUNS=$state/runs METAMERS_KERNEL_HISTORY=-
# An engine of this checkout only, in a folder of its own, that ends soon after.
export METAMERS_ENGINE_DIR=$state/engine METAMERS_ENGINE_IDLE=20s
"$bin/python" scripts/notebooks.py "$@"
