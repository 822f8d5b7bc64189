#!/usr/bin/env bash
# Format, lint, types, docs and tests, on CPU. Arguments go to pytest.
set -euo pipefail
source "$(dirname "$0")/env.sh"
"$python" -m ruff format --check .
"$python" -m ruff check .
"$python" -m mypy
scripts/docs.sh
exec "$python" -m pytest "$@"
