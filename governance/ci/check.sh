#!/bin/sh
# The gate in plain shell: compares with a base when one is named, and leaves the reports of all forms.
#   governance/ci/check.sh [BASE] [FOLDER FOR REPORTS]
set -eu
base=${1:-}
folder=${2:-.hanse/reports}
mkdir -p "$folder"
set -- ${base:+--base "$base"}
for form in json junit sarif markdown; do
    code=0
    hanse check "$@" --format "$form" --output "$folder/check.$form" || code=$?
    [ "$code" -le 1 ] || exit "$code"
done
exec hanse check "$@"
