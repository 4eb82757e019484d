#!/usr/bin/env bash
# Lints the Dockerfile (hadolint, from PyPI) and carries out the steps of a target (cpu,
# or cuda, which brings 4 GB of libraries) without Docker: in a root of its own, as its
# user, see image.py. Then JupyterLab is started as the image starts it, and a cell is run:
# scripts/test-image.sh [cpu | cuda]. Caches of Go are shared with this machine unless
# METAMERS_LONG=1. Skips, visibly, where it may not mount.
set -euo pipefail
target=${1:-cpu}
cd "$(dirname "$0")/.."
bin=$(go run ./kernel lab --setup-only)
tools=$PWD/.cache/image-test
if ! cmp -s scripts/image-tools.txt "$tools/pins.txt"; then
  rm -rf "$tools"
  "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target "$tools" -r scripts/image-tools.txt
  cp scripts/image-tools.txt "$tools/pins.txt"
fi
"$tools/bin/hadolint" --failure-threshold info Dockerfile
echo "test-image: hadolint has nothing to say" >&2
if ! unshare --mount true 2>/dev/null; then
  echo "test-image: the steps are SKIPPED: they need the right to mount (root)" >&2
  exit 0
fi
work=$(mktemp -d /var/tmp/image-test-XXXXXX)
trap 'rm -rf "$work"' EXIT
shared="" # what Docker's own cache would keep
[[ ${METAMERS_LONG-} = 1 ]] || shared="GOMODCACHE=$(go env GOMODCACHE) GOCACHE=$(go env GOCACHE)"
git ls-files -z | tar --null --no-recursion -T - -cf "$work/context.tar"
# Mounts and processes end with the namespaces.
PYTHONPATH=$tools unshare --mount --pid --fork --kill-child "$bin/python" scripts/image.py "$target" "$work" $shared
