#!/usr/bin/env bash
# What needs a GPU, in parts that can be made one by one; each leaves a few small files in FOLDER.
#
#   benchmarks/gpu.sh check FOLDER                     tests marked gpu, and the ten checks of some methods
#   benchmarks/gpu.sh speed FOLDER                     the timings of benchmarks, a JSON file each
#   benchmarks/gpu.sh search FOLDER SUITE SECONDS ...  `benchharness run --suite SUITE ... --graphs`, ended after SECONDS;
#                                                      the same again goes on, and results.tgz never lacks a finished run
#
# DEVICE, METHODS, STEP and SETTINGS below may be set to other values: DEVICE=cpu tries the script itself.
set -uo pipefail
cd "$(dirname "$0")/.."
part=${1:?check, speed or search}
folder=${2:?the folder for what is found}
shift 2
mkdir -p "$folder"
folder=$(realpath "$folder")
DEVICE=${DEVICE:-cuda}
METHODS=${METHODS:-darts,snas,drnas,gdas}
STEP=${STEP:---channels 16 --cells 5}
SETTINGS=${SETTINGS:-epochs=100}
GRAPHS=$([ "$DEVICE" = cpu ] || echo --graphs)
PYTHON=${PYTHON:-python3}
export PYTHONUNBUFFERED=1

archive() {
    tar -czf "$folder/.part.tgz" --exclude='checkpoint*' --exclude='*.tmp*' -C "$folder" results $(cd "$folder" && ls -d reports 2>/dev/null)
    mv "$folder/.part.tgz" "$folder/results.tgz"
}

case $part in
check)
    grep -rl mark.gpu tests --include="*.py" | xargs $PYTHON -m pytest -q -m gpu -W default 2>&1 | tee "$folder/tests.txt"
    for method in ${METHODS//,/ }; do $PYTHON -m benchharness check "$method"; done 2>&1 | tee "$folder/checks.txt"
    ;;
speed)
    cd benchmarks
    # shellcheck disable=SC2086
    {
        nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv || true
        $PYTHON step.py --device "$DEVICE" $STEP $GRAPHS --numerics bf16 $([ "$DEVICE" = cpu ] || echo tf32) --out "$folder/step.json"
        $PYTHON step.py --device "$DEVICE" $STEP $GRAPHS --numerics bf16 --compile --out "$folder/step-compiled.json"
        $PYTHON epoch.py --device "$DEVICE" --protocol drnas --set $SETTINGS --methods "$METHODS" $GRAPHS --repeats 3 --out "$folder/epoch.json"
        $PYTHON several.py --device "$DEVICE" --protocol drnas --set $SETTINGS $GRAPHS --at-a-time 1,2,4 --repeats 1 --epochs 2 --out "$folder/several.json"
        $PYTHON probes.py --device "$DEVICE" --protocol drnas --set $SETTINGS --parts strength --repeats 1 --out "$folder/strength.json"
        $PYTHON probes.py --device "$DEVICE" --protocol drnas --set $SETTINGS --parts ranking,eigenvalue,pass --batches 4 --out "$folder/probes.json"
    } 2>&1 | tee "$folder/speed.txt"
    ;;
search)
    suite=${1:?a suite} seconds=${2:?seconds}
    shift 2
    mkdir -p "$folder/results"
    (while sleep 20; do archive; done) &
    archiving=$!
    # shellcheck disable=SC2086
    timeout --signal=INT --kill-after=30 "$seconds" $PYTHON -m benchharness run --suite "$suite" --device "$DEVICE" $GRAPHS \
        --out "$folder/results" --reports "$folder/reports" "$@" 2>&1 | tee -a "$folder/search.txt"
    kill $archiving
    archive
    ;;
*)
    echo "$part is no part: check, speed or search" >&2
    exit 2
    ;;
esac
