# Sourced by the other scripts: makes the environment once per Python version, and again when pyproject.toml changes.
# PYTHON chooses the interpreter. Sets `python`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
interpreter=${PYTHON:-python3}
"$interpreter" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: $("$interpreter" --version) is too old, yolojax needs Python 3.11 or newer; set PYTHON" >&2
    exit 2
}
venv=$root/.venv-$("$interpreter" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
python=$venv/bin/python
if ! cmp -s pyproject.toml "$venv/installed.toml"; then
    echo "making $venv (a few minutes, once)" >&2
    "$interpreter" -m venv "$venv"
    "$python" -m pip install --quiet --upgrade pip
    "$python" -m pip install --quiet --editable '.[dev]'
    cp pyproject.toml "$venv/installed.toml"
fi
