#!/usr/bin/env bash
# Writes requirements/MINOR.txt, the versions that scripts/env.sh installs, for each Python that pyproject.toml names.
# Pins that still satisfy pyproject.toml stay; `--upgrade` takes the newest of everything. Arguments go to uv.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.cache/lock/bin/uv
if [ ! -x "$uv" ]; then
    "${PYTHON:-python3}" -m venv .cache/lock
    .cache/lock/bin/python -m pip install --quiet uv
fi
mkdir -p requirements
for minor in $(sed -nE 's/.*"Programming Language :: Python :: (3\.[0-9]+)".*/\1/p' pyproject.toml); do
    echo "requirements/$minor.txt" >&2
    "$uv" pip compile pyproject.toml --extra dev --python-version "$minor" --universal \
        --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command ./scripts/lock.sh \
        --quiet --output-file "requirements/$minor.txt" "$@"
done
