"""Milliseconds of networks in the runtimes that are installed, measured in turns.

python -m yolojax.benchmark --model yolov2-voc.weights --model runs/filter40 --runtimes onnxruntime,openvino --batch 1,8

The first network is the one that the others are compared with.
"""

from yolojax import cli, runs, runtimes

COMMAND = cli.Command()
MODELS = COMMAND.many("model", [], "A run's workdir, a checkpoint folder or a file of a network; once for each.")
RUNTIMES = COMMAND.strings("runtimes", [], f"Of {', '.join(runtimes.RUNTIMES)}; by default all that are installed.")
BATCHES = COMMAND.strings("batch", ["1"], "Images in a call.")
THREADS = COMMAND.integer("threads", 0, "Of each runtime; 0 leaves the number to it.")
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for each network's own.")
ROUNDS = COMMAND.integer("rounds", 15, "Turns of each network in each runtime.")
OUT = COMMAND.string("out", "runs/benchmark", "A folder for benchmark.json, .md, .html and .svg.")


def main(_: list[str]) -> None:
    runs.benchmark(
        MODELS.value,
        OUT.value,
        names=RUNTIMES.value,
        batches=[runs.parse_batch(text) for text in BATCHES.value],
        threads=THREADS.value,
        size=SIZE.value,
        rounds=ROUNDS.value,
    )


if __name__ == "__main__":
    COMMAND.run(main)
