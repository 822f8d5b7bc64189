import json
import tarfile
from xml.etree import ElementTree

import numpy as np
import pytest

from yolojax import detection


def plain_class(truth, detections, label, iou_threshold):
    """The devkit's `VOCevaldet`, one loop per sentence: recall, precision, scores that count, number of objects."""
    boxes = [[list(b) for b, lab in zip(t.boxes, t.labels, strict=True) if lab == label] for t in truth]
    difficult = [[d for d, lab in zip(t.difficult, t.labels, strict=True) if lab == label] for t in truth]
    taken = [[False] * len(b) for b in boxes]
    objects = sum(not d for image in difficult for d in image)
    rows = [
        (image, score, box)
        for image, found in enumerate(detections)
        for box, score, lab in zip(found.boxes, found.scores, found.labels, strict=True)
        if lab == label
    ]
    recall, precision, scores, right, wrong = [], [], [], 0, 0
    for i in np.argsort([-score for _, score, _ in rows]):
        image, score, box = rows[i]
        best, at = -1.0, -1
        for j, other in enumerate(boxes[image]):
            width = min(box[2], other[2]) - max(box[0], other[0]) + 1
            height = min(box[3], other[3]) - max(box[1], other[1]) + 1
            if width > 0 and height > 0:
                areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
                iou = width * height / (sum(areas) - width * height)
                if iou > best:
                    best, at = iou, j
        if best > iou_threshold and difficult[image][at]:
            continue
        if best > iou_threshold and not taken[image][at]:
            taken[image][at] = True
            right += 1
        else:
            wrong += 1
        recall.append(right / max(objects, 1))
        precision.append(right / (right + wrong))
        scores.append(score)
    return recall, precision, scores, objects


def plain_ap(recall, precision):
    """VOC2007's 11 points, and VOC2010's area."""
    eleven = 0.0
    for t in np.arange(0.0, 1.1, 0.1):
        eleven += max([p for r, p in zip(recall, precision, strict=True) if r >= t], default=0.0) / 11
    area, before = 0.0, 0.0
    for i, r in enumerate(recall):
        area += (r - before) * max(precision[i:])
        before = r
    return eleven, area


def random_case(rng):
    """A few images on a coarse grid, so that boxes match, repeat and tie; class 2 has no objects, class 3 is mixed."""
    truth, detections = [], []
    for _ in range(rng.integers(1, 5)):
        n, m = rng.integers(0, 5), rng.integers(0, 9)
        corner = rng.integers(1, 6, (n + m, 2)) * 4.0
        boxes = np.concatenate([corner, corner + rng.integers(1, 4, (n + m, 2)) * 4.0], axis=1)
        for i in range(n, n + m):  # most detections sit on or beside a truth
            if n and rng.uniform() < 0.7:
                boxes[i] = boxes[rng.integers(n)] + rng.integers(-1, 2, 4)
        labels = rng.choice([0, 1, 3], n + m).astype(np.int32)
        found = np.where(rng.uniform(size=m) < 0.1, 2, labels[n:]).astype(np.int32)
        truth.append(detection.Objects(boxes[:n], labels[:n], rng.uniform(size=n) < 0.2))
        detections.append(detection.Detections(boxes[n:], rng.integers(1, 6, m) / 5, found))
    return truth, detections


def test_random_cases_agree_with_the_devkits_loops():
    rng = np.random.default_rng(0)
    seen = np.zeros(3, int)
    for _ in range(150):
        truth, detections = random_case(rng)
        result = detection.average_precision(truth, detections, 4)
        for label in range(4):
            recall, precision, _, objects = plain_class(truth, detections, label, 0.5)
            assert result.objects[label] == objects
            if objects == 0:
                assert np.isnan(result.ap_11point[label])
                assert np.isnan(result.ap_area[label])
                continue
            eleven, area = plain_ap(recall, precision)
            np.testing.assert_allclose(result.ap_11point[label], eleven, rtol=1e-12)
            np.testing.assert_allclose(result.ap_area[label], area, rtol=1e-12)
            seen += [area == 0, 0 < area < 1, area == 1]
    assert np.all(seen >= 10)  # the cases are not all of one kind


def one_image(boxes, difficult=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    difficult = np.zeros(len(boxes), bool) if difficult is None else np.array(difficult)
    return detection.Objects(boxes, np.zeros(len(boxes), np.int32), difficult)


def found(boxes, scores):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    return detection.Detections(boxes, np.array(scores, np.float64), np.zeros(len(boxes), np.int32))


A, B = [1, 1, 10, 10], [21, 21, 30, 30]


def test_the_second_detection_of_an_object_is_wrong():
    result = detection.average_precision([one_image([A, B])], [found([A, A, B], [0.9, 0.8, 0.7])], 1)
    # recall 1/2, 1/2, 1; precision 1, 1/2, 2/3
    np.testing.assert_allclose(result.ap_area, [1 / 2 + 1 / 2 * 2 / 3])
    np.testing.assert_allclose(result.ap_11point, [(6 + 5 * 2 / 3) / 11])


def test_difficult_objects_neither_count_nor_harm():
    result = detection.average_precision([one_image([A, B], [True, False])], [found([A, A, B], [0.9, 0.8, 0.7])], 1)
    np.testing.assert_array_equal(result.ap_area, [1.0])
    np.testing.assert_array_equal(result.objects, [1])


def test_the_iou_must_exceed_the_threshold_in_inclusive_pixels():
    # 10 x 10 and 10 x 5 pixels: IoU exactly 1/2
    truth, detections = [one_image([A])], [found([[1, 1, 10, 5]], [0.9])]
    assert detection.average_precision(truth, detections, 1).ap_area == [0.0]
    assert detection.average_precision(truth, detections, 1, iou_threshold=0.49).ap_area == [1.0]


def test_a_wrong_detection_in_an_image_without_objects_counts():
    truth, detections = [one_image([]), one_image([A])], [found([A], [0.9]), found([A], [0.8])]
    np.testing.assert_array_equal(detection.average_precision(truth, detections, 1).ap_area, [0.5])


def test_nothing_found_is_zero_and_no_images_is_nan():
    assert detection.average_precision([one_image([A])], [found([], [])], 1).ap_11point == [0.0]
    assert np.isnan(detection.average_precision([], [], 2).ap_area).all()


def test_the_mean_is_over_classes_with_objects():
    result = detection.APResult(np.array([0.5, np.nan, 0.25]), np.array([1.0, np.nan, 0.5]), np.array([3, 0, 1]))
    assert (result.map_11point, result.map_area) == (0.375, 0.75)
    nothing = detection.APResult(np.array([np.nan]), np.array([np.nan]), np.array([0]))
    assert np.isnan([nothing.map_11point, nothing.map_area]).all()


def test_the_means_leave_out_classes_without_objects():
    truth, detections = [one_image([A, B])], [found([A, [41, 41, 50, 50], B], [0.9, 0.8, 0.7])]
    result = detection.average_precision(truth, detections, 3)
    assert result.map_area == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert result.map_11point == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert np.isnan(detection.average_precision([], [], 2).map_area)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="detections of 0 images for 1 annotated ones"):
        detection.average_precision([one_image([A])], [], 1)


def read_truth(archive, names):
    """The ids of the test split, and its objects of the classes `names`."""
    with tarfile.open(archive) as tar:
        files = {member.name.rsplit("/", 1)[-1]: tar.extractfile(member).read() for member in tar if member.isfile()}
    ids = files["test.txt"].decode().split()
    truth = []
    for image_id in ids:
        root = ElementTree.fromstring(files[f"{image_id}.xml"])
        objects = [o for o in root.iter("object") if o.findtext("name") in names]
        boxes = [[float(o.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")] for o in objects]
        labels = [names.index(o.findtext("name")) for o in objects]
        difficult = [o.findtext("difficult") == "1" for o in objects]
        truth.append(
            detection.Objects(
                np.array(boxes, np.float64).reshape(-1, 4), np.array(labels, np.int32), np.array(difficult, bool)
            )
        )
    return ids, truth


def area_range(recall, scores, objects):
    """The smallest and the largest area that any order of equal scores gives: wrong ones first, right ones first."""
    right = np.diff([0.0, *recall]) > 0
    areas = []
    for last in (right, ~right):
        hits = np.cumsum(right[np.lexsort([last, -np.array(scores)])])
        precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
        areas.append(np.sum(np.diff([0, *hits]) * precision) / objects)
    return areas


@pytest.fixture(scope="module")
def voc(shared_data, tmp_path_factory):
    """Expected AP, names, truth and detections of VOC2007 test, and our result."""
    folder, here = shared_data / "voc2007-test", tmp_path_factory.mktemp("voc")
    with tarfile.open(folder / "detections.tar.gz") as tar:
        tar.extractall(here, filter="data")
    names = detection.classes_with_files(here / "detections")
    ids, truth = read_truth(folder / "annotations.tar.gz", names)
    detections = detection.read_detections(here / "detections", names, ids)
    result = detection.average_precision(truth, detections, len(names))
    return json.loads((folder / "expected_ap.json").read_text()), names, truth, detections, result


def test_voc2007_agrees_with_the_devkit(voc):
    expected, names, truth, detections, result = voc
    assert list(names) == sorted(expected["objects"])
    assert len(truth) == 4952
    assert sum(len(image.scores) for image in detections) == 67486
    assert dict(zip(names, result.objects.tolist(), strict=True)) == expected["objects"]
    eleven = [expected["ap_11point"][name] for name in names]
    np.testing.assert_allclose(result.ap_11point, eleven, rtol=0, atol=1e-6)
    # Ours and the reference may rank equal scores differently; nothing but that may move the area.
    for label, name in enumerate(names):
        recall, _, scores, objects = plain_class(truth, detections, label, 0.5)
        low, high = area_range(recall, scores, objects)
        assert high - low < 1e-4
        for area in (result.ap_area[label], expected["ap_area"][name]):
            assert low - 1e-12 <= area <= high + 1e-12, name


def test_voc2007_area_where_numpy_sorts_as_it_did_for_the_reference(voc):
    expected, names, _, _, result = voc
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not any(name == "X86_V4" or name.startswith("AVX512") for name in simd):
        pytest.skip("the reference ranks equal scores as NumPy's AVX-512 sort does, and this CPU has none")
    area = [expected["ap_area"][name] for name in names]
    np.testing.assert_allclose(result.ap_area, area, rtol=0, atol=1e-6)
