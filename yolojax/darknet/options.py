"""The options of a `.cfg` that the dataclasses have no field for: which are kept, warned about or refused."""

from absl import logging

from yolojax.darknet.sections import Section, shown

# What Darknet's parser reads beyond the typed fields: kept as text without a warning.
KNOWN = {
    "net": """batch subdivisions inputs time_steps notruth random adam B1 B2 eps max_crop min_crop max_ratio min_ratio
        center clip angle aspect saturation exposure hue momentum decay learning_rate policy burn_in power step scale
        steps scales gamma max_batches""",
    "convolutional": "dot",
    "region": "log sqrt max jitter absolute random mask_scale",
    "cost": "type scale sparse ratio noobj thresh",
}
# Options that change what the network computes or which weights are read, with the one value that is supported.
FIXED = {
    "convolutional": {
        "dilation": 1,
        **dict.fromkeys(("binary", "xnor", "flipped", "cbn", "bin_output", "antialiasing", "assisted_excitation"), 0),
        **dict.fromkeys(("sway", "rotate", "stretch", "stretch_sway"), 0),
    },
    "maxpool": {"maxpool_depth": 0, "antialiasing": 0},
    "route": {"groups": 1, "group_id": 0},
    "reorg": {"reverse": 0, "flatten": 0, "extra": 0},
    "region": {"classfix": 0, "background": 0},
    "softmax": {"groups": 1, "temperature": 1, "spatial": 0, "noloss": 0},
}
MAX_WARNINGS = 20  # for one file
ANYWHERE = dict.fromkeys(("dontloadscales", "numload", "dontsave"), 0)
NO_WEIGHTS = "dontload"  # says nothing of a layer that has none
# Options without a value that is supported.
REFUSED = {
    "convolutional": ("stride_x", "stride_y", "share_index"),
    "maxpool": ("stride_x", "stride_y"),
    "region": ("tree", "map"),
    "softmax": ("tree",),
}


def kept_options(section: Section, warned: set[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The options that the typed fields left, in order; CfgError for one that would change what the network computes.

    An option that Darknet does not know is warned about, unless `warned`, which is added to, holds (section, option).
    """
    fixed = FIXED.get(section.name, {}) | ANYWHERE
    known = [*KNOWN.get(section.name, "").split(), NO_WEIGHTS]
    for key, (value, line) in section.options.items():
        if key in REFUSED.get(section.name, ()):
            raise section.error(f"{key} is not supported in [{section.name}], remove it", line)
        if key in fixed:
            if value != str(fixed[key]):
                raise section.error(
                    f"{key}={value[:40]} is not supported in [{section.name}], expected {fixed[key]}", line
                )
        elif key not in known and (section.name, key) not in warned:
            warned.add((section.name, key))
            if len(warned) <= MAX_WARNINGS:
                _warn(section, key, line)
    return tuple((key, option.value) for key, option in section.options.items())


def _warn(section: Section, key: str, line: int) -> None:
    logging.warning(
        "%s:%d: unknown option %s in [%s], kept but not used", section.source, line, shown(key), section.name
    )
