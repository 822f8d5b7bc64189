#!/usr/bin/env bash
# Format, lint, types and docs: what a commit must pass. The pre-commit hook runs this, and so does scripts/test.sh.
set -euo pipefail
source "$(dirname "$0")/env.sh"
"$python" -m ruff format --check .
"$python" -m ruff check .
"$python" -m mypy
scripts/docs.sh
