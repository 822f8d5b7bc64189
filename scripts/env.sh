# Sourced by the other scripts: makes the environment once per Python version, and again when pyproject.toml or the
# locked versions change. PYTHON chooses the interpreter. Sets `root` and `python`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
interpreter=${PYTHON:-python3}
"$interpreter" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: $("$interpreter" --version) is too old, yolojax needs Python 3.11 or newer; set PYTHON" >&2
    exit 2
}
minor=$("$interpreter" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=$root/.venv-$minor
python=$venv/bin/python
lock=requirements/$minor.txt
made_from=(pyproject.toml)
[ ! -e "$lock" ] || made_from+=("$lock")
if ! cat "${made_from[@]}" | cmp -s - "$venv/made_from"; then
    echo "making $venv (a few minutes, once)" >&2
    "$interpreter" -m venv "$venv"
    "$python" -m pip install --quiet --upgrade pip
    if [ -e "$lock" ]; then
        "$python" -m pip install --quiet --requirement "$lock"
        "$python" -m pip install --quiet --no-deps --editable .
    else
        echo "note: there are no locked versions for Python $minor ($lock); the newest that pyproject.toml allows are used" >&2
        "$python" -m pip install --quiet --editable '.[dev]'
    fi
    cat "${made_from[@]}" >"$venv/made_from"
fi
