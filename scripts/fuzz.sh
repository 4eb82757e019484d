#!/usr/bin/env bash
# Runs every fuzz target, or those whose names begin so:
#   scripts/fuzz.sh [3000x: that many inputs each, or a time such as 10s] [FuzzRe]
# Coverage is counted in what reads the inputs, not in all that the test links: clearing
# and comparing 150,000 counters takes longer than reading a small file. With 1000 inputs
# or fewer it is counted in this module only, since others would be compiled anew, which
# takes longer than the inputs. What is found is kept where go test -fuzz keeps it, and so
# is what fails (testdata/fuzz).
set -euo pipefail
cd "$(dirname "$0")/.."
inputs=${1:-3000x}
counted=(./...)
if ! [[ $inputs =~ ^[0-9]+x$ ]] || ((${inputs%x} > 1000)); then
  counted+=(encoding/... archive/zip compress/flate image/... strconv google.golang.org/protobuf/... github.com/gomlx/compute-onnx/...
    github.com/goccy/go-yaml/... github.com/sbinet/npyio/... golang.org/x/image/...)
fi
flags=()
for p in "${counted[@]}"; do flags+=("-gcflags=$p=-d=libfuzzer"); done
module=$(go list -m) cache=$(go env GOCACHE)/fuzz
fast=${TMPDIR:-/tmp} # for folders that are read a thousand times a second
[[ -w /dev/shm ]] && fast=${TMPDIR:-/dev/shm}
bin=$(mktemp)
trap 'rm -f "$bin"' EXIT
for dir in $(grep -rl --include='*_test.go' "^func ${2:-Fuzz}.*testing\.F)" metamerkit cmd kernel models | xargs -n 1 dirname | sort -u); do
  go test -c "${flags[@]}" -o "$bin" "./$dir"
  for target in $(cat "$dir"/*_test.go | sed -n "s/^func \(${2:-Fuzz}[A-Za-z0-9_]*\)(f \*testing\.F).*/\1/p"); do
    echo "fuzz $target in $dir"
    (cd "$dir" && TMPDIR=$fast "$bin" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$inputs" -test.fuzzminimizetime 10x -test.fuzzcachedir "$cache/$module/$dir")
  done
done
