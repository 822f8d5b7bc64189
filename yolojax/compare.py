"""Finished runs side by side, with the Pareto figure: python -m yolojax.compare runs/*"""

from yolojax import cli
from yolojax.reporting import comparison

COMMAND = cli.Command(positional=True)
OUT = COMMAND.string("out", "runs/compare", "A folder for compare.md, compare.html, compare.json and the figures.")
BASELINE = COMMAND.string("baseline", "", "The run that shares are of; by default each run's own unpruned network.")
STAGES = COMMAND.boolean("stages", False, "Every network of a pruning run, as in pruned, repaired, retrained.")


def main(runs: list[str]) -> None:
    if not runs:
        raise ValueError("no runs given; name their folders, as in runs/*")
    print(comparison.compare(runs, OUT.value, baseline=BASELINE.value, stages=STAGES.value))
    print(f"see {OUT.value}/compare.html")


if __name__ == "__main__":
    COMMAND.run(main)
