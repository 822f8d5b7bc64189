"""What a config holds: its fields, declared once in sections, and the checked, typed values of a run."""

from yolojax.settings.sections import (
    DataSettings,
    EvalSettings,
    ModelSettings,
    PruneSettings,
    StudySettings,
    TrainSettings,
)
from yolojax.settings.settings import Settings, default_config, describe_fields, difference, parse_overrides, read

__all__ = [
    "DataSettings",
    "EvalSettings",
    "ModelSettings",
    "PruneSettings",
    "Settings",
    "StudySettings",
    "TrainSettings",
    "default_config",
    "describe_fields",
    "difference",
    "parse_overrides",
    "read",
]
