"""Amounts over time, for pruning in several rounds. Pure functions of the step."""


def polynomial(step: int, *, amount: float, begin: int, end: int, initial: float = 0.0) -> float:
    """From `initial` at step `begin` to `amount` at `end`, fast at first (Zhu & Gupta 2017, equation 1, cubic).

    The amount is of all weights, dropped ones included. As weights that are 0 go first, masks made from masked
    parameters with a growing amount only ever drop more. Before `begin` it is 0. Raises ValueError unless begin < end.
    """
    if begin >= end:
        raise ValueError(f"begin {begin}, end {end}: expected begin below end")
    if step < begin:
        return 0.0
    left = 1 - min(step - begin, end - begin) / (end - begin)
    return amount + (initial - amount) * left**3
