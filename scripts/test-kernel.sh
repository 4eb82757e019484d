#!/usr/bin/env bash
# Runs the tests of the kernel in Jupyter: scripts/test-kernel.sh [unittest arguments].
# METAMERS_LONG=1 makes them long (50 restarts, 2000 cells).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(go run ./kernel lab --setup-only)
# What the tests need beyond JupyterLab, beside its environment.
extra=$PWD/.cache/kernel-test
if ! cmp -s kernel/test/requirements.txt "$extra/requirements.txt"; then
  rm -rf "$extra"
  "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$extra" -r kernel/test/requirements.txt
  cp kernel/test/requirements.txt "$extra/"
fi
home=$(mktemp -d /tmp/kernel-test-XXXXXX)
trap 'rm -rf "$home"' EXIT
export PYTHONPATH=$extra METAMERS_KERNEL_HISTORY=$home/history.jsonl XDG_RUNTIME_DIR=$home JUPYTER_RUNTIME_DIR=$home/runtime JUPYTER_CONFIG_DIR=$home/config JUPYTER_DATA_DIR=$home/data
"$bin/python" -m unittest discover -v -s kernel/test "$@"
