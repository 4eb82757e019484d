#!/usr/bin/env bash
# Brings what the backends need into the cache folder (METAMERS_CACHE, default
# ~/.cache/metamers): the XLA CPU plugin, from its PyPI wheel, checked against a
# pinned SHA-256. Says what it does; does nothing when all is there.
set -euo pipefail

version=0.11.2
wheel=lammps_jax_pjrt_cpu-$version-py3-none-manylinux_2_27_x86_64.whl
sum=1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1
member=lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so

cache=${METAMERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/metamers}
folder=$cache/plugins/pjrt-cpu-$version
target=$folder/$(basename "$member")

say() { echo "setup: $*" >&2; }

if [[ -f $target ]]; then
  exit 0
fi
if [[ $(uname -s)/$(uname -m) != Linux/x86_64 ]]; then
  say "there is no XLA CPU plugin for $(uname -s)/$(uname -m); the pure-Go backend will be used"
  exit 0
fi
command -v python3 >/dev/null || { say "python3 is missing: install it (apt-get install python3)"; exit 1; }
if ! python3 -m pip --version >/dev/null 2>&1; then
  if [[ $(id -u) = 0 ]] && command -v apt-get >/dev/null; then
    say "installing python3-pip"
    apt-get update -qq && apt-get install -y -qq python3-pip >/dev/null
  else
    say "pip is missing: install it (apt-get install python3-pip)"
    exit 1
  fi
fi

mkdir -p "$folder"
work=$(mktemp -d "$cache/plugins/.setup-XXXXXX")
trap 'rm -rf "$work"' EXIT
say "fetching the XLA CPU plugin $version (63 MB) into $folder"
echo "lammps-jax-pjrt-cpu==$version --hash=sha256:$sum" >"$work/requirements.txt"
python3 -m pip download --quiet --no-deps --require-hashes --only-binary :all: -d "$work" -r "$work/requirements.txt"
python3 - "$work/$wheel" "$member" "$work/plugin.so" <<'PY'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as src, open(sys.argv[3], "wb") as dst:
    shutil.copyfileobj(src, dst)
PY
mv "$work/plugin.so" "$target"
say "done"
