#!/usr/bin/env bash
# Format, lint, types, docs and tests, on CPU. Arguments go to pytest.
set -euo pipefail
"$(dirname "$0")/check.sh"
source "$(dirname "$0")/env.sh"
exec "$python" -m pytest "$@"
