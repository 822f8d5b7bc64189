#!/usr/bin/env bash
# Format, lint, types, docs and tests, on CPU. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check.sh
source scripts/env.sh
if [ $# -gt 0 ]; then exec "$python" -m pytest "$@"; fi
# In three processes: what one compiles and keeps adds up over 1,800 tests, until XLA dies without a word.
status=0
"$python" -m pytest -m "not slow" tests/[a-q]*/ || status=$?
"$python" -m pytest -m "not slow" tests/[r-z]*/ tests/test_*.py || status=$?
"$python" -m pytest -m slow || status=$?
exit "$status"
