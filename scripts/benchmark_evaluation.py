"""Images per second of an evaluation: reading, resizing, the network, decoding and suppression, in each runtime.

    python scripts/benchmark_evaluation.py --model runs/cards --data devkit:cards --size 256

Runtimes take turns; a first pass of each, which compiles, does not count.
"""

import functools

from absl import app, flags

from yolojax import data, runtimes, training

MODEL = flags.DEFINE_string("model", None, "As `evaluate` takes it.", required=True)
DATA = flags.DEFINE_string("data", None, "As `evaluate` takes it.", required=True)
SPLIT = flags.DEFINE_string("split", "test", "Its images are seen once in a pass.")
SIZE = flags.DEFINE_integer("size", 0, "Input size in pixels; 0 for the network's own.")
BATCH = flags.DEFINE_integer("batch", 16, "Images in a call.")
ROUNDS = flags.DEFINE_integer("rounds", 2, "Turns of each, of three passes.")


def main(_: list[str]) -> None:
    program = runtimes.open_program(MODEL.value, size=SIZE.value)
    dataset = data.open_dataset(DATA.value, SPLIT.value, names=program.names or None)
    protocol = training.Protocol(program.size)
    passes = {}
    for name, runtime in runtimes.RUNTIMES.items():
        if not runtime.installed or program.kind not in runtime.reads:
            continue
        session = None if name == "jax" else runtime.load(program, batch=BATCH.value)
        evaluator = training.Evaluator(program.architecture, dataset, protocol, batch_size=BATCH.value, session=session)
        variables = program.model.variables if program.model else None
        passes[name] = functools.partial(evaluator.predict, variables, progress=None)
    print(f"{MODEL.value} at {program.size}, {len(dataset)} images, {runtimes.describe_machine()}\n")
    print("| runtime | images/s |\n|---|---|")
    for name, timing in runtimes.race(passes, rounds=ROUNDS.value).items():
        print(f"| {name} | {len(dataset) / timing.median:.1f} |")


if __name__ == "__main__":
    app.run(main)
