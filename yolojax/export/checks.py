"""What holds for every network that is opened, whatever its format."""

import numpy as np

from yolojax import darknet
from yolojax.network import Model, Variables, check_variables, leaf_paths


def check_model(model: Model, source: str) -> None:
    """Raises ValueError for arrays that do not fit, values that no network has, and names that cannot be shown."""
    check_variables(model.architecture, model.variables)
    check_values(model.variables, source)
    for name in model.names:
        darknet.check_name(name, source)
    if not 0 <= model.seen < 2**63:
        raise ValueError(f"{source}: {str(model.seen)[:40]} images seen, expected 0..{2**63 - 1}")


def check_values(variables: Variables, source: str) -> None:
    """Raises ValueError for a value that is not finite and for a negative variance: the network would give NaN."""
    for path, leaf in leaf_paths(variables).items():
        _, layer, name = path.split("/")
        bad = ~np.isfinite(leaf) if name != "var" else ~(np.isfinite(leaf) & (np.asarray(leaf) >= 0))
        if bad.any():
            what = "are not finite" if name != "var" else "are negative or not finite"
            raise ValueError(
                f"{source}: {int(bad.sum())} of {bad.size} values {what} in {layer} ({name}); "
                "use an earlier file or checkpoint of that network"
            )
