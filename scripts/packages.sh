#!/usr/bin/env bash
# What a machine with Debian and Go lacks for `make` (as root):
#   scripts/packages.sh            for building, JupyterLab and the kernel
#   scripts/packages.sh --tests    for the tests in a browser, of drawings and on Slurm too
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
  command -v npm >/dev/null || missing+=(npm)
  command -v rsvg-convert >/dev/null || missing+=(librsvg2-bin)
  command -v pdftocairo >/dev/null || missing+=(poppler-utils)
  [[ -x /usr/sbin/sshd ]] || missing+=(openssh-server openssh-client)
fi
install() {
  echo "packages: installing $*" >&2
  [[ -n ${updated-} ]] || apt-get update -qq
  updated=1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
((!${#missing[@]})) || install "${missing[@]}"
# Not everywhere to be had; what needs it skips itself.
if [[ ${1-} = --tests ]] && ! (command -v slurmctld && command -v slurmd && command -v munged) >/dev/null; then
  install slurm-wlm munge || echo "packages: no Slurm: its test will be skipped" >&2
fi
