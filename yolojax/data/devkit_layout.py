"""Where the images and annotations of a folder in devkit layout are, as VOC has it and as people have it.

| layout | splits |
|---|---|
| `Annotations/`, `JPEGImages/`, `ImageSets/Main/train.txt`, ... (VOC's) | the lists |
| `train/`, `valid/`, `test/` with pictures and their `.xml` files | the folders |
| pictures and their `.xml` files | every fifth picture is `test`, every fifth `validation` |

In the last two, pictures are in `JPEGImages/` or `images/`, annotations in `Annotations/` or `annotations/`, or both in
the folder itself.
"""

import dataclasses
import pathlib

from yolojax.data.folders import SUFFIXES, fifths, image_ids, split_folders
from yolojax.data.splits import parts_of, split_name
from yolojax.files import Path, read_text

MAX_LIST_BYTES = 1 << 26
MAX_ID_CHARACTERS = 200
SPLIT_FILES = {"train": "train", "validation": "val", "trainval": "trainval", "test": "test"}
ANY_CASE = (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))


@dataclasses.dataclass(frozen=True)
class Part:
    """The images of one split: their folders, and {image id: the name of its two files without suffix}."""

    images: pathlib.Path
    annotations: pathlib.Path
    stems: dict[str, str]

    def xml_path(self, image_id: str) -> pathlib.Path:
        """The annotation of an image, whether it is there or not."""
        return self.annotations / f"{self.stems[image_id]}.xml"

    def image_path(self, image_id: str) -> pathlib.Path:
        """The image, with whichever suffix it has; the usual one where it is missing."""
        candidates = [self.images / f"{self.stems[image_id]}{suffix}" for suffix in ANY_CASE]
        return next((path for path in candidates if path.is_file()), candidates[0])


@dataclasses.dataclass(frozen=True)
class DevkitSet:
    """A folder in devkit layout, with the splits that have an image.

    `divided` has the number of images where nothing says which of them are in which split, else 0.
    """

    root: pathlib.Path
    parts: dict[str, Part]
    divided: int = 0


def find_set(folder: Path) -> DevkitSet:
    """The images of a folder, or of VOCdevkit/VOC* in it. Raises ValueError for another layout, or several folders."""
    root = pathlib.Path(folder).expanduser()
    official = find_official(root)
    if len(official) > 1:
        raise ValueError(f"{folder}: {len(official)} devkit folders in it, expected one folder in devkit layout")
    if official:
        return DevkitSet(official[0], _listed_parts(official[0]))
    parts = {split: part for split, place in split_folders(root).items() if (part := _plain_part(place))}
    if parts:
        return DevkitSet(root, parts)
    whole = _plain_part(root)
    if whole is None:
        raise ValueError(
            f"{folder}: no Annotations/ and ImageSets/Main/ in it, nor pictures with .xml files, expected one "
            "folder in devkit layout"
        )
    divided = fifths(list(whole.stems))
    parts = {
        split: dataclasses.replace(whole, stems={image_id: whole.stems[image_id] for image_id in ids})
        for split, ids in divided.items()
    }
    return DevkitSet(root, parts, len(whole.stems))


def find_parts(folder: Path, split: str) -> list[Part]:
    """The parts that make up a split. Raises ValueError, with what there is, where the folder has no such split."""
    found = find_set(folder)
    names = parts_of(split_name(split), found.parts)
    if names:
        return [found.parts[name] for name in names]
    if find_official(pathlib.Path(folder).expanduser()):
        read_split(found.root, split)
        raise ValueError(f"{split_file(found.root, split)}: lists no image")
    raise ValueError(f"{folder} has no {split} split; it has {', '.join(found.parts)}")


def find_official(root: pathlib.Path) -> list[pathlib.Path]:
    """The folders with Annotations/ and ImageSets/Main/: `root`, VOC* and VOCdevkit/VOC* in it."""
    found = [root, *sorted(root.glob("VOC*")), *sorted(root.glob("VOCdevkit/VOC*"))]
    return [path for path in found if (path / "Annotations").is_dir() and (path / "ImageSets" / "Main").is_dir()]


def split_file(devkit: pathlib.Path, split: str) -> pathlib.Path:
    """The file in which a devkit folder lists the images of a split. Raises ValueError for an unknown split."""
    return devkit / "ImageSets" / "Main" / f"{SPLIT_FILES[split_name(split)]}.txt"


def read_split(devkit: pathlib.Path, split: str) -> list[str]:
    """The image ids of a split, each once, in the order of ImageSets/Main.

    Raises ValueError for a list that is missing, and for an id that is a path.
    """
    path = split_file(devkit, split)
    if not path.is_file():
        there = ", ".join(name for name in SPLIT_FILES if split_file(devkit, name).is_file()) or "none"
        raise ValueError(f"{path}: no such file, so there is no {split} split; there is {there}")
    ids: dict[str, None] = {}
    text = read_text(path, MAX_LIST_BYTES, "one image name per line")
    for line, content in enumerate(text.splitlines(), start=1):
        image_id = content.split(maxsplit=1)[0] if content.strip() else ""
        if "/" in image_id or "\\" in image_id or image_id.startswith("."):
            raise ValueError(f"{path}:{line}: {image_id[:40]!r}, expected the name of an image without its folder")
        if len(image_id) > MAX_ID_CHARACTERS or not image_id.isprintable():
            raise ValueError(f"{path}:{line}: {image_id[:40]!r}, expected the name of an image")
        if image_id:
            ids[image_id] = None
    return list(ids)


def _listed_parts(devkit: pathlib.Path) -> dict[str, Part]:
    ids = {name: read_split(devkit, name) for name in SPLIT_FILES if split_file(devkit, name).is_file()}
    images, annotations = devkit / "JPEGImages", devkit / "Annotations"
    return {name: Part(images, annotations, {one: one for one in listed}) for name, listed in ids.items() if listed}


def _plain_part(folder: pathlib.Path) -> Part | None:
    """The pictures of a folder that has no lists; None where it has no pictures or no annotations."""
    images = [folder / "JPEGImages", folder / "images", folder]
    annotations = [folder / "Annotations", folder / "annotations", folder]
    pictures = next((place for place in images if _pictures(place)), None)
    xml = next((place for place in annotations if any(place.glob("*.xml"))), None)
    if pictures is None or xml is None:
        return None
    return Part(pictures, xml, {key: path.stem for key, path in image_ids(_pictures(pictures), folder).items()})


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
