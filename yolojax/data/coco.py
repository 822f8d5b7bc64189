"""Data sets with COCO's JSON: one file of images, categories and boxes for each split.

| the argument | where the files are |
|---|---|
| a folder as COCO's | `annotations/instances_train2017.json`, images in `train2017/` or `images/train2017/` |
| a folder as Roboflow's | `train/_annotations.coco.json` beside its images, `valid/`, `test/` |
| a folder with `train.json`, `val.json` | images beside them, or in `images/` |
| a file | of the split that its name says; else every fifth image is `test`, every fifth `validation` |

Crowds (`iscrowd`) are difficult objects: neither found nor missed.
"""

import pathlib
from collections.abc import Sequence

import tensorflow_datasets as tfds

from yolojax.data.annotations import Found
from yolojax.data.coco_json import CocoFile, read_coco
from yolojax.data.folders import fifths, image_ids, log_fifths, split_folders
from yolojax.data.images import MAX_IMAGE_BYTES
from yolojax.data.listing import Listing, listing_builder, read_if_there
from yolojax.data.splits import SPLITS, parts_of, split_of

EXPECTED = "a COCO .json, or a folder with one for each split"
PREFIX = "instances_"


def builders(
    argument: str, split: str, names: Sequence[str] | None, data_dir: str | None
) -> list[tfds.core.DatasetBuilder]:
    """The builder of a split. `names` is the classes in their order; None takes the categories, by their ids.

    Raises ValueError for data in another layout, and for a file that is not COCO's.
    """
    files = find_files(argument)
    root = _root(argument)
    whole = files.get("")
    if whole:
        content = read_coco(whole)
        log_fifths(len(content.images), f"coco:{argument}")
        images = fifths(list(content.images))[split]
        return [listing_builder("coco", _list(root, whole, split, content, images, names), data_dir)]
    found = []
    for part in parts_of(split, files):
        content = read_coco(files[part])
        found.append(_list(root, files[part], part, content, list(content.images), names))
    return [listing_builder("coco", listing, data_dir) for listing in found]


def find_splits(argument: str) -> tuple[str, ...]:
    """The splits that there are. Raises ValueError for data in another layout."""
    files = find_files(argument)
    return SPLITS if "" in files else tuple(files)


def find_files(argument: str) -> dict[str, pathlib.Path]:
    """{split: its JSON file}; "" for a file that is not divided. Raises ValueError for data in another layout."""
    path = pathlib.Path(argument).expanduser().resolve()
    if path.is_file():
        return {_split_of(path) or "": path}
    if not path.is_dir():
        raise ValueError(f"{argument}: no such file or folder, expected {EXPECTED}")
    folders = [path, path / "annotations", *split_folders(path).values()]
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    found: dict[str, pathlib.Path] = {}
    for file in [file for file in files if file.name.startswith(PREFIX)] or files:
        split = _split_of(file)
        if split in found:
            raise ValueError(f"{argument}: {found[split]} and {file} are both the {split} split; name one file")
        if split:
            found[split] = file
    if not found and len(files) == 1:
        return {"": files[0]}
    if not found:
        raise ValueError(
            f"{argument}: {len(files)} .json files in it, and none named after a split, expected {EXPECTED}"
        )
    return found


def _split_of(file: pathlib.Path) -> str | None:
    """The split that a file is named after, or its folder is."""
    return split_of(file.stem.removeprefix(PREFIX)) or split_of(file.parent.name)


def _root(argument: str) -> pathlib.Path:
    path = pathlib.Path(argument).expanduser().resolve()
    if path.is_dir():
        return path
    return path.parents[1] if path.parent.name == "annotations" else path.parent


def _list(
    root: pathlib.Path,
    file: pathlib.Path,
    split: str,
    content: CocoFile,
    images: list[str],
    names: Sequence[str] | None,
) -> Listing:
    """The images of one split, by their names in the file."""
    folders = _image_folders(root, file, split)
    paths = {name: _find_image(name, folders) for name in images}
    ids = image_ids(list(paths.values()), root)
    by_path = {path: name for name, path in paths.items()}
    objects = {image_id: content.images[by_path[path]] for image_id, path in ids.items()}

    def read_objects(image_id: str, width: int, height: int) -> list[Found]:
        return objects[image_id]

    return Listing(
        source=str(file),
        split=split,
        names=tuple(names or content.names),
        image_ids=list(ids),
        read_image=lambda image_id: read_if_there(ids[image_id], MAX_IMAGE_BYTES),
        read_objects=read_objects,
        files=[file, *ids.values()],
    )


def _image_folders(root: pathlib.Path, file: pathlib.Path, split: str) -> list[pathlib.Path]:
    """Where the images of a file may be, the likeliest first."""
    named = file.stem.removeprefix(PREFIX)
    own = [split_folders(parent).get(split, parent) for parent in (root, root / "images")]
    return [file.parent, root / named, root / "images" / named, *own, root, root / "images"]


def _find_image(name: str, folders: Sequence[pathlib.Path]) -> pathlib.Path:
    """The image of that name, in the first folder that has it; in the first of all where it is missing."""
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)
