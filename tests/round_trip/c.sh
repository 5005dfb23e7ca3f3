#!/bin/sh
# C99, there and back: a trained run, exported by the program and compiled by the system's compiler, against `predict`.
#
#     tests/round_trip/c.sh [PYTHON] [RUN]...      a Python (3.8, nothing else), and more run folders models/NAME/RUN
#
# Prints the largest difference on random rows with gaps, and on the real rows of the run, and what the object holds;
# fails above 1e-5 of the answer or of 1. Weights of 8 bits may differ by what their export says.
# FADECAST is a built program; CC the compiler, by default gcc.
set -eu
cd "$(dirname "$0")/../.."
python=${1:-python3}
[ $# -eq 0 ] || shift
cc=${CC:-gcc}
warnings="-std=c99 -Wall -Wextra -Werror -pedantic -Wconversion -Wdouble-promotion -Wshadow -Wvla"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

[ -n "${FADECAST:-}" ] || cargo build --release --locked --quiet
target=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
fadecast=${FADECAST:-$target/release/fadecast}

"$fadecast" --root "$folder" --quiet train >"$folder/train.log"
runs=$(ls -d "$folder"/models/quickstart/2*)
for run in "$@"; do
    runs="$runs:$(cd "$run" && pwd)"
done

# Returns how the driver finds the answers of a header.
fields() {
    name=soh
    ! grep -q ' cycle_life;' "$1" || name=cycle_life
    if grep -q ' probability\[' "$1"; then echo -DTIERS; else echo "-DANSWER=$name -DLOWER=${name}_lower -DUPPER=${name}_upper"; fi
}

check() { # root run
    for kind in float int8 double; do
        option=$([ "$kind" = float ] || echo "--$kind")
        code="$folder/code/$kind"
        mkdir -p "$code"
        echo "-- $(basename "$(dirname "$2")") $kind"
        # shellcheck disable=SC2086
        "$fadecast" --root "$1" export "$2" --format c $option --out "$code/model.c" >"$code/log" 2>&1 || {
            cat "$code/log"
            continue
        }
        grep '^note' "$code/log"
        answer=$(fields "$code/model.h")
        number=$([ "$kind" = double ] && echo double || echo float)
        # shellcheck disable=SC2086
        "$cc" -Os $warnings -fstack-usage -c "$code/model.c" -o "$code/model.o"
        size "$code/model.o"
        awk '{ print "stack of", $1, $2, $3 }' "$code/model.su" 2>/dev/null | sed 's/.*model.c:[0-9]*:[0-9]*://' | tr '\n' ';' && echo
        # shellcheck disable=SC2086
        "$cc" -O2 $warnings -I"$code" -DNUMBER="$number" $answer tests/round_trip/c_driver.c "$code/model.c" -o "$code/driver" -lm
        "$python" tests/round_trip/c_check.py "$fadecast" "$1" "$2" "$code"
    done
}

echo "random rows, against \`fadecast predict\`"
IFS=:
set -- $runs
unset IFS
for run in "$@"; do
    check "$(dirname "$(dirname "$(dirname "$run")")")" "$run"
done

echo "real rows, against the reference"
FADECAST_ROUND_TRIP_RUNS="$runs" \
    cargo test --release --locked --quiet --lib export::c::tests::runs -- --nocapture >"$folder/test.log" 2>&1 || {
    cat "$folder/test.log"
    exit 1
}
grep '^run' "$folder/test.log"
