"""Run in a process of its own: reads a data set through FiftyOne, extends it, makes it anew; prints one JSON object."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from logicmix_studio.environment import prepare_environment
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Workspace, load_table, save_table
from logicmix_studio.store.fiftyone.create import set_up


def described(dataset: Any) -> dict[str, Any]:
    labels = {
        name: {
            image_id: dict(zip(names or (), states or (), strict=True))
            for image_id, names, states in zip(
                *dataset.values(["id", f"{name}.classifications.label", f"{name}.classifications.state"]),
                strict=True,
            )
        }
        for name in ("known", "pseudo")
    }
    scheme = dataset.app_config.color_scheme.fields
    return {
        "name": dataset.name,
        "persistent": dataset.persistent,
        "media_type": dataset.media_type,
        "info": dataset.info["logicmix"],
        "classes": dataset.default_classes,
        "views": {name: dataset.load_saved_view(name).values("id") for name in dataset.list_saved_views()},
        "colours": {field["path"]: {v["value"]: v["color"] for v in field["valueColors"]} for field in scheme},
        "schema": list(dataset.get_field_schema(flat=True)),
        "indexes": list(dataset.list_indexes()),
        "filepaths": dataset.values("filepath"),
        "num_unknown": dict(zip(*dataset.values(["id", "num_unknown"]), strict=True)),
        "splits": dict(zip(*dataset.values(["id", "split"]), strict=True)),
        **labels,
    }


def main(folder: Path, root: Path, uri: str) -> None:
    prepare_environment(database_uri=uri)
    import fiftyone as fo

    workspace = Workspace(root=root, folder=folder)
    answer: dict[str, Any] = {"datasets": fo.list_datasets()}
    dataset = fo.load_dataset(answer["datasets"][-1])
    answer["first"] = described(dataset)
    answer["selection"] = dataset.load_saved_view("from the studio").values("filepath")
    sample = dataset.match({"known.classifications.decided_by": "ann"}).first()
    known = next(one for one in sample.known.classifications if one.get_field("source") == "human")
    answer["decided"] = [known.label, known.state, known.decided_by, known.decided_at.isoformat()]
    sample.tags.append("seen")
    sample.save()  # FiftyOne can write what it read
    answer["tagged"] = dataset.match_tags("seen").count()
    answer["filtered"] = dataset.filter_labels("pseudo", fo.ViewField("confidence") > 0.9).count(
        "pseudo.classifications"
    )

    table = load_table(workspace.labels_file)
    wider = np.zeros((table.num_images, table.num_classes + 1), dtype=np.int8)
    wider[:, :-1] = table.states
    wider[-1] = 1  # stands for the image that takes the place of the last one
    paths = [*table.paths[:-1], "new.jpg"]
    extended = LabelTable.build(paths, [*table.class_names, "owl"], wider, table.splits)
    save_table(workspace.labels_file, extended)
    set_up(workspace, uri)
    dataset.reload()
    answer["extended"] = described(dataset)

    save_table(workspace.labels_file, table)
    set_up(workspace, uri, rebuild=True)
    answer["rebuilt"] = described(fo.load_dataset(answer["first"]["name"]))
    answer["datasets_after"] = fo.list_datasets()
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
