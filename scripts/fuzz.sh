#!/usr/bin/env bash
# Runs every fuzz target, or those whose names begin so:
#   scripts/fuzz.sh [3000x: that many inputs each, or a time such as 10s] [FuzzRe]
set -euo pipefail
for file in $(grep -rl --include='*_test.go' '^func Fuzz' metamerkit cmd kernel models); do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    [[ $target = "${2-}"* ]] || continue
    echo "fuzz $target in $(dirname "$file")"
    go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${1:-3000x}" -fuzzminimizetime 10x
  done
done
