#!/usr/bin/env bash
# What a machine with Debian and Go lacks for `make` (as root):
#   scripts/packages.sh            for building, JupyterLab and the kernel
#   scripts/packages.sh --tests    for the tests in a browser and of drawings too
# Installs nothing where all is there.
set -euo pipefail
exec </dev/null
missing=()
command -v make >/dev/null || missing+=(make)
command -v git >/dev/null || missing+=(git)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
if [[ ${1-} = --tests ]]; then
  command -v chromium >/dev/null || missing+=(chromium)
  command -v rsvg-convert >/dev/null || missing+=(librsvg2-bin)
  command -v pdftocairo >/dev/null || missing+=(poppler-utils)
fi
((${#missing[@]})) || exit 0
echo "packages: installing ${missing[*]}" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
