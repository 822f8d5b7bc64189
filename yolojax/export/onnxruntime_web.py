"""ONNX Runtime for browsers: the two files of the npm package `onnxruntime-web` that a page needs, of one version."""

import base64
import hashlib
import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

from yolojax.files import Path, read_bytes

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # as npm has it
SCRIPT = "package/dist/ort.wasm.bundle.min.mjs"
BINARY = "package/dist/ort-wasm-simd-threaded.wasm"
MAX_BYTES = 1 << 28


class WebRuntime(NamedTuple):
    """A JavaScript module, and the WebAssembly that it runs; on the CPU, nothing else is loaded."""

    script: bytes
    binary: bytes


def read_web_runtime(package: Path = "") -> WebRuntime:
    """The files of `package`, a tarball as `npm pack` leaves it; without one npm gets it, or has it still.

    Raises ValueError where npm is missing or fails, and for a file that is not that version of the package.
    """
    if package:
        return _unpack(read_bytes(package, MAX_BYTES, f"what `npm pack {PACKAGE}` writes"), str(package))
    with tempfile.TemporaryDirectory() as folder:
        return _unpack(_npm_pack(folder), PACKAGE)


def _npm_pack(folder: str) -> bytes:
    """The package's tarball, by way of `folder`."""
    otherwise = f"--runtime_package takes the file that `npm pack {PACKAGE}` writes elsewhere"
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"npm, which comes with Node.js, is not installed and has to get {PACKAGE}; {otherwise}")
    command = [npm, "pack", PACKAGE, "--prefer-offline", "--loglevel=error", "--no-update-notifier"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        reason = " ".join(result.stderr.split())[:200]
        raise ValueError(f"npm cannot get {PACKAGE} ({reason}); {otherwise}")
    (tarball,) = pathlib.Path(folder).glob("*.tgz")
    return tarball.read_bytes()


def _unpack(tarball: bytes, where: str) -> WebRuntime:
    found = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != SHA512:
        raise ValueError(f"{where}: its SHA-512 is {found[:16]}…, expected {SHA512[:16]}…, that of {PACKAGE}")
    with tarfile.open(fileobj=io.BytesIO(tarball)) as files:
        return WebRuntime(_read(files, SCRIPT), _read(files, BINARY))


def _read(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(name)
    assert member is not None
    return member.read()
