#!/usr/bin/env bash
# Runs the tests of the Python module with the program: scripts/test-python.sh [pytest
# arguments]. PYTHON names an interpreter that has its requirements already.
set -euo pipefail
cd "$(dirname "$0")/.."
make --silent build
python=${PYTHON-}
if [[ -z $python ]]; then
  env=$PWD/.cache/python-test
  if ! cmp -s python/pyproject.toml "$env/pyproject.toml"; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check "./python[test]"
    "$env/bin/python" -m pip uninstall --quiet --yes metamers # the tests use the sources
    cp python/pyproject.toml "$env/"
  fi
  python=$env/bin/python
fi
# A cache folder of their own, with the plugins of this machine.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
plugins=${METAMERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/metamers}/plugins
[[ ! -d $plugins ]] || ln -s "$plugins" "$home/plugins"
export METAMERS_PROGRAM=$PWD/bin/metamers METAMERS_CACHE=$home
PYTHONPATH=$PWD/python "$python" -m pytest -q -rs -p no:cacheprovider python/tests "$@"
