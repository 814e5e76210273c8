"""Export labels from FiftyOne in its formats, and read files of ours with it; run in a process of its own.

Arguments: a folder with photographs below ``photos`` and our files beside it, and the database's address. The labels that
FiftyOne finds in our files are printed as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from logicmix_studio.environment import prepare_environment

LABELS = {"a.jpg": ["cat"], "b.jpg": ["cat", "sea lion"], "c.jpg": []}


def main(folder: Path, uri: str) -> None:
    prepare_environment(database_uri=uri)
    import fiftyone as fo
    from fiftyone import types
    from fiftyone.utils import coco, cvat, labelstudio, voc, yolo

    dataset = fo.Dataset()
    for name, labels in LABELS.items():
        sample = fo.Sample(str(folder / "photos" / name))
        sample["tags_of"] = fo.Classifications(classifications=[fo.Classification(label=one) for one in labels])
        boxes = [fo.Detection(label=one, bounding_box=[0.1, 0.1, 0.2, 0.2]) for one in labels]
        sample["boxes"] = fo.Detections(detections=boxes)
        if name == "c.jpg":
            guessed = fo.Classification(label="cat", confidence=0.9)
            sample["model"] = fo.Classifications(classifications=[guessed])
            sample["negative_labels"] = fo.Classifications(classifications=[fo.Classification(label="sea lion")])
            sample.tags.append("validation")
        dataset.add_sample(sample)
    for kind, options in (
        (types.CSVDataset, {"fields": ["filepath", "tags_of.classifications.label"]}),
        (types.FiftyOneImageClassificationDataset, {"label_field": "tags_of"}),
        (types.COCODetectionDataset, {"label_field": "boxes"}),
        (types.VOCDetectionDataset, {"label_field": "boxes"}),
        (types.YOLOv4Dataset, {"label_field": "boxes"}),
        (types.YOLOv5Dataset, {"label_field": "boxes", "split": "train"}),
        (types.CVATImageDataset, {"label_field": "boxes"}),
        (types.FiftyOneDataset, {}),
    ):
        dataset.export(export_dir=str(folder / kind.__name__), dataset_type=kind, **options)

    _, classes, _, images, annotations = coco.load_coco_detection_annotations(str(folder / "ours.json"))
    assert classes
    found: dict[str, Any] = {"coco-json": {}}
    for key, image in images.items():
        labels = [one.to_detection((image["width"], image["height"]), classes) for one in annotations.get(key, ())]
        found["coco-json"][image["file_name"]] = sorted(one.label for one in labels)
    images = cvat.load_cvat_image_annotations(str(folder / "ours.xml"))[2]
    found["cvat-xml"] = {image.name: sorted(tag.label for tag in image.tags) for image in images}
    found["voc-xml"] = {
        name: sorted(
            one.label
            for one in voc.load_voc_detection_annotations(str(folder / "voc" / f"{name}.xml"))
            .to_detections()
            .detections
        )
        for name in LABELS
    }
    found["yolo"] = {
        file.stem: sorted(one.label for one in yolo.load_yolo_annotations(str(file), ["cat", "sea lion"]).detections)
        for file in (folder / "yolo" / "labels").glob("*.txt")
    }
    found["label-studio"] = {}
    for task in json.loads((folder / "ours-tasks.json").read_text()):
        read = [labelstudio.import_label_studio_annotation(one)[1] for one in task["annotations"][0]["result"]]
        labels = [label for one in read for label in getattr(one, "classifications", [one])]
        found["label-studio"][task["data"]["image"].rpartition("=")[2]] = sorted(one.label for one in labels)
    photos = str(folder / "photos")
    parsers = {
        "labels": lambda text: fo.Classifications(
            classifications=[fo.Classification(label=one) for one in json.loads(text)]
        )
    }
    for name, kind, file, options in (
        ("fiftyone-lists", types.FiftyOneImageClassificationDataset, "ours-lists.json", {"label_field": "labels"}),
        ("csv-list", types.CSVDataset, "ours-list.csv", {"media_field": "image", "fields": parsers}),
    ):
        read = fo.Dataset.from_dir(data_path=photos, labels_path=str(folder / file), dataset_type=kind, **options)
        found[name] = {
            Path(sample.filepath).name: sorted(one.label for one in sample.labels.classifications) for sample in read
        }
        found[name] |= {"classes": read.default_classes} if read.default_classes else {}
    read = fo.Dataset.from_dir(
        dataset_dir=str(folder / "ours-samples"),
        dataset_type=types.LegacyFiftyOneDataset,
        rel_dir=photos,
    )
    fields = [name for name in read.get_field_schema() if name.endswith(("_labels", "positive", "negative"))]
    found["fiftyone"] = {
        Path(sample.filepath).name: [
            (name, one.label, one.confidence, getattr(one, "source", None), getattr(one, "run", None))
            for name in fields
            for one in (sample[name] or fo.Classifications()).classifications
        ]
        + [sample.split, sample.tags]
        for sample in read
    } | {"classes": read.default_classes}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
