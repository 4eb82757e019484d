#!/usr/bin/env bash
# Trains the default model set into the folder trained/, one model after the other.
# Run it again after any interruption: finished models are kept, an unfinished one goes
# on from its checkpoint. A GPU is used where there is one (make setup-cuda).
#
#   scripts/train_set.sh             all ten models
#   scripts/train_set.sh plain7      only those with plain7 in their name
#   EPOCHS_SCALE=0.5 scripts/train_set.sh    half the epochs
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x bin/metamers ] || make setup build
OUT=${OUT:-trained}
if grep -q '^backend *cuda' <<<"$(bin/metamers doctor 2>/dev/null)"; then GPU=1; else GPU=; fi
echo "train_set: $([ "$GPU" ] && echo "GPU" || echo "CPU") plan"

epochs() { awk -v e="$1" -v s="${EPOCHS_SCALE:-1}" 'BEGIN { n = int(e * s + .5); print n < 1 ? 1 : n }'; }

# one NAME-OF-ARCHITECTURE THREAT EPOCHS FLAGS…
# A robust model begins with the weights of its standard one.
one() {
  local arch=$1 threat=$2 n tag=$1.mm_c10
  n=$(epochs "$3")
  shift 3
  [ "$threat" = - ] || tag+=_linf8
  [[ -z "$FILTER" || "$tag" == *"$FILTER"* ]] || return 0
  if [ -e "$OUT/$tag.json" ]; then echo "train_set: $tag is there"; return 0; fi
  local robust=()
  if [ "$threat" != - ]; then
    robust=(--robust "$threat" --fallback --from "$OUT/$arch.mm_c10.safetensors")
  fi
  bin/metamers train --arch "$arch" "${robust[@]}" --epochs "$n" --out "$OUT" "$@"
}

FILTER=${1:-}
EPS=linf:8/255
if [ "$GPU" ]; then # recipes of docs/gpu.md, with more epochs; minutes a model on an H100
  for a in plain7_48 resnet8_48; do
    one $a - 100 --batch 256 --lr 0.2 --smoothing 0.1 --average ema:0.998
    one $a $EPS 60 --batch 256 --lr 0.1 --average ema:0.998
  done
  one convnext_64 - 80 --batch 256 --lr 0.003 --average ema:0.998
  one convnext_64 $EPS 60 --batch 256 --lr 0.002 --average ema:0.998
  for a in vitconv_4_96 vit_4_96; do
    one $a - 100 --batch 256 --lr 0.0015 --average ema:0.998
    one $a $EPS 60 --batch 256 --lr 0.001 --average ema:0.998
  done
else # about 20 hours of one core; docs/training.md has what a step costs
  for a in plain7_48 resnet8_48; do
    one $a - 12 --lr 0.2 --smoothing 0.1 --crop 2
    one $a $EPS 8 --lr 0.1 --crop 2
  done
  one vitconv_4_96 - 14
  one vitconv_4_96 $EPS 10
  one convnext_64 - 12
  one convnext_64 $EPS 8
  one vit_4_96 - 20
  one vit_4_96 $EPS 12
fi
