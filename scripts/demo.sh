#!/usr/bin/env bash
# The main job on generated data, on CPU: train a small network, prune it to a budget and in the study's two ways,
# retrain, report, evaluate.
# Results go to runs/demo (or the folder given).
set -euo pipefail
source "$(dirname "$0")/env.sh"
out=${1:-runs/demo}
if [ -e "$out" ]; then
    echo "error: $out exists; remove it, or name another folder" >&2
    exit 2
fi
export TF_CPP_MIN_LOG_LEVEL=3 JAX_COMPILATION_CACHE_DIR=$root/.cache/jax
set -x
"$python" -m yolojax.train --config configs/shapes_train.py --workdir "$out/train"
"$python" -m yolojax.prune --config configs/shapes_filter40.py --config.model.start="$out/train/model.weights" --workdir "$out/filter40"
"$python" -m yolojax.prune --config configs/shapes_filter40.py --config.model.start="$out/train/model.weights" \
    --config.prune.budget=macs=50% --config.prune.repair=True --workdir "$out/budget"
"$python" -m yolojax.prune --config configs/shapes_weight80.py --config.model.start="$out/train/model.weights" --workdir "$out/weight80"
"$python" -m yolojax.evaluate --model "$out/filter40/model.weights" --data shapes --json "$out/filter40/check.json"
set +x
echo
grep -h -A5 '^| network' "$out"/{filter40,budget,weight80}/report.md
echo "open report.html in $out/filter40, $out/budget and $out/weight80"
