"""Every field at its default: the study's recipe on VOC2007, at the network's own size. The other configs change a few.

    python -m yolojax.train --config configs/base.py --help

lists the fields. They are declared in yolojax/settings/sections.py. A config is a Python file and is run as one: load
only those you trust.
"""

import ml_collections

from yolojax import settings


def get_config() -> ml_collections.ConfigDict:
    """The fields of a run, with the study's values."""
    return settings.default_config()
