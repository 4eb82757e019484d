#!/usr/bin/env bash
# Builds the wheel for this machine (make wheel) and tries it: pip installs it into an
# empty environment, without what it depends on. The program makes metamers; the kernel
# unpacks its sources, and they have all that cells can link, without the network.
set -euo pipefail
cd "$(dirname "$0")/.."
go=$(go env GOROOT)/bin/go # that of go.mod, which is not looked for without the network
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make --silent wheel WHEELS="$work/dist"
wheel=$(echo "$work"/dist/*.whl)
size=$(stat -c %s "$wheel")
(( size <= 60000000 )) || { echo "test-wheel: $(basename "$wheel") has $size bytes, expected 60 MB at most" >&2; exit 1; }
python3 -m venv --without-pip "$work/env"
bin=$work/env/bin
python3 -m pip --python "$bin/python" --disable-pip-version-check install --quiet --no-deps --no-index "$wheel"
# A cache folder of its own, with the plugins of this machine: the dependencies are missing.
mkdir "$work/cache"
plugins=${METAMERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/metamers}/plugins
[[ ! -d $plugins ]] || ln -s "$plugins" "$work/cache/plugins"
export METAMERS_CACHE=$work/cache
cd "$work"
grep -qx 'metamers = metamers_papermill:Engine' env/lib/python*/site-packages/metamers-*.dist-info/entry_points.txt
"$bin/metamers" version
"$bin/metamers" synth --quiet --models plain7_48.mm_c10 --stage early --images photos:1 --size 32 --evaluations 4 --null photos:8 >/dev/null
if said=$("$bin/metamers" lab 2>&1); then
  echo "test-wheel: metamers lab did not miss JupyterLab" >&2; exit 1
fi
[[ $said == *'pip install "metamers[lab]"'* ]] || { echo "test-wheel: metamers lab said: $said" >&2; exit 1; }
# Not into grep -q: it ends at the first match, and the kernel with it.
said=$("$bin/python" -m metamers_kernel --help 2>&1) && [[ $said == *"Jupyter kernel"* ]] || { echo "test-wheel: metamers_kernel said: $said" >&2; exit 1; }
unpacked=$(echo "$METAMERS_CACHE"/kernel/kernel-*)
GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOPROXY=off GOWORK=off GOMODCACHE=$unpacked/modules "$go" list -C "$unpacked/sources" -deps -tags=netgo,osusergo ./metamerkit ./metamerkit/local ./kernel/live/host/... >/dev/null
[[ -x $unpacked/tools/gopls && -x $unpacked/tools/gonb && -x $unpacked/tools/goimports ]] || { echo "test-wheel: the tools are missing" >&2; exit 1; }
echo "test-wheel: $(basename "$wheel") ($((size / 1000000)) MB) installs, makes a run, and has what cells link" >&2
