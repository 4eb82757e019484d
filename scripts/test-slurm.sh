#!/usr/bin/env bash
# metamers sweep on a Slurm that is started for it, with faults. Skipped, and said so,
# where Slurm, munge or root is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
for c in slurmctld slurmd sbatch munged; do
  if ! command -v "$c" >/dev/null; then
    echo "test-slurm: SKIPPED, $c is not here (apt-get install slurm-wlm munge)"
    exit 0
  fi
done
if [ "$(id -u)" != 0 ]; then
  echo "test-slurm: SKIPPED, it starts Slurm's daemons as root"
  exit 0
fi
dir=$(mktemp -d /tmp/metamers-slurm.XXXXXX)
finish() {
  scripts/slurm.sh stop "$dir"
  rm -rf "$dir"
}
trap finish EXIT
scripts/slurm.sh start "$dir"
SLURM_CONF=$dir/slurm.conf METAMERS_TEST_SLURM=$dir go test -count=1 -timeout 40m -v -run '^TestSlurm$' ./cmd/metamers
