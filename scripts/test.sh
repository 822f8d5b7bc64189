#!/usr/bin/env bash
# Format, lint, types, docs and tests, on CPU. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check.sh
source scripts/env.sh
if [ $# -gt 0 ]; then exec "$python" -m pytest "$@"; fi

# One folder's tests in a process of their own: one for all of them died of segmentation faults, from a cause that is
# not known. The output comes when they are done, so that two at a time do not mix.
run_part() {
    local code=0 log
    # shellcheck disable=SC2086  # the last one is a pattern
    log=$("$python" -m pytest -m "not slow" $1 2>&1) || code=$?
    printf '%s\n' "$log"
    [ "$code" -eq 0 ] || [ "$code" -eq 5 ] # 5: all of its tests are slow
}
export -f run_part
export python

# Two at a time, as compiling keeps one core busy; the largest first. What is slow, such as a browser, has the machine to
# itself.
status=0
{ echo 'tests/test_*.py'; du -s tests/*/ | sort -rn | cut -f 2; } |
    xargs -P 2 -I {} bash -c 'run_part "{}"' || status=$?
"$python" -m pytest -m slow || status=$?
exit "$status"
