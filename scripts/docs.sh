#!/usr/bin/env bash
# The site: builds docs/ into build/site, where a warning is an error. `serve` shows it and follows what you edit.
set -euo pipefail
source "$(dirname "$0")/env.sh"
export NO_MKDOCS_2_WARNING=1 # a notice about the theme's successor, on every start
case "${1:-build}" in
    build) exec "$python" -m mkdocs build --strict ;; # with --quiet, warnings would not count
    serve) exec "$python" -m mkdocs serve ;;
    *)
        echo "error: $1, expected build or serve" >&2
        exit 2
        ;;
esac
