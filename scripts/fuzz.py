#!/usr/bin/env python3
"""Coverage-guided fuzzing of the readers, by hand: needs `pip install atheris` (2.3 or newer).

python scripts/fuzz.py --seconds 60              # every reader for a minute
python scripts/fuzz.py cfg weights --seconds 600

Each reader runs in a process of its own, under 2 GB and ten seconds for one input. A finding is kept as
fuzz/READER/crash-* and makes the exit code 1; its traceback:

python scripts/fuzz.py cfg --replay fuzz/cfg/crash-...
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", help="all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("fuzz"), help="corpora and findings")
    parser.add_argument("--replay", type=pathlib.Path, help="one input, for one reader")
    parser.add_argument("--scratch", type=pathlib.Path, help=argparse.SUPPRESS)  # this is the process that fuzzes
    arguments = parser.parse_args()
    if arguments.scratch:
        fuzz(arguments.readers[0], arguments.out, arguments.seconds, arguments.scratch)
        return
    from tests.fuzz_targets import TARGETS, check

    if unknown := set(arguments.readers) - TARGETS.keys():
        parser.error(f"{', '.join(unknown)}: expected some of {', '.join(TARGETS)}")
    if arguments.replay:
        with tempfile.TemporaryDirectory() as folder:
            taken = check(TARGETS[arguments.readers[0]], arguments.replay.read_bytes(), pathlib.Path(folder))
        print("read" if taken else "refused")
        return
    found = [run(reader, arguments.out, arguments.seconds) for reader in arguments.readers or TARGETS]
    sys.exit(1 if any(found) else 0)


def run(reader: str, out: pathlib.Path, seconds: int) -> bool:
    """Fuzzes one reader in a process of its own, says how it went in one line, and whether anything was found."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        command = [sys.executable, __file__, reader, "--scratch", scratch, "--out", str(out), "--seconds", str(seconds)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    inputs = re.search(r"number_of_executed_units: (\d+)", result.stdout)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", result.stdout)
    edges = f"{covered[-1][0]} edges" if covered else "no coverage"
    print(f"{reader}: {inputs[1] if inputs else '?'} inputs, {edges}, exit code {result.returncode}", flush=True)
    if result.returncode:
        print(result.stdout[-3000:], flush=True)
    return result.returncode != 0


def fuzz(reader: str, out: pathlib.Path, seconds: int, scratch: pathlib.Path) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["yolojax"]):
        from tests.fuzz_targets import TARGETS, check
    target = TARGETS[reader]
    corpus = out / reader / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(target.seeds(scratch)):
        assert check(target, seed, scratch)
        (corpus / f"seed{index}").write_bytes(seed)
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in target.words]
    (scratch / "words").write_text("\n".join(lines) + "\n")

    def one_input(data: bytes) -> None:
        check(target, data, scratch)

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    places = [f"-dict={scratch / 'words'}", f"-artifact_prefix={out / reader}/", str(corpus)]
    atheris.Setup([sys.argv[0], "-print_final_stats=1", *limits, *places], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
