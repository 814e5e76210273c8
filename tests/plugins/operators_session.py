"""Run in a process of its own: calls the plugin's operators as the FiftyOne App would; prints one JSON object."""

import json
import sys
from pathlib import Path
from typing import Any

from logicmix_studio.environment import prepare_environment


def main(uri: str, root: str) -> None:
    prepare_environment(database_uri=uri)
    import fiftyone as fo
    import fiftyone.operators as foo

    from tests.review_server import ServerProcess

    dataset = fo.load_dataset(fo.list_datasets()[0])
    answer: dict[str, Any] = {"operators": sorted(o.uri for o in foo.list_operators() if "logicmix" in o.uri)}

    def call(name: str, selected: list[str] | None = None, **params: Any) -> Any:
        context = {"dataset": dataset, "selected": selected or [], "params": params}
        return foo.execute_operator(f"@logicmix/studio/{name}", context)

    def refused(name: str, selected: list[str] | None = None, **params: Any) -> str:
        try:
            call(name, selected, **params)
        except Exception as error:
            return str(error)
        return ""

    def pseudo() -> dict[str, list[str]]:
        pairs = zip(*dataset.values(["id", "pseudo.classifications.label"]), strict=True)
        return {image_id: sorted(names or ()) for image_id, names in pairs}

    def choices(name: str, field: str) -> list[str]:
        form = foo.get_operator(f"@logicmix/studio/{name}").resolve_input(None).to_json()
        return [choice["label"] for choice in form["type"]["properties"][field]["view"]["choices"]]

    ids = dataset.values("id")
    answer["before"] = pseudo()
    answer["recipes"] = choices("train", "recipe")
    answer["nothing"] = refused("accept_pseudo_labels", class_name="all classes")
    answer["accepted"] = call("accept_pseudo_labels", ids[:2], class_name="dog").result
    answer["after_accept"] = pseudo()
    rejected = call("reject_pseudo_labels", ids, class_name="all classes", min_confidence=0.985)
    answer["rejected"] = rejected.result
    answer["after_reject"] = pseudo()
    shown = call("unknown_of_class", class_name="cat")
    answer["unknown"] = shown.result
    answer["unknown_requests"] = [request["operator_uri"] for request in shown.executor.to_json()["requests"]]
    answer["missing_class"] = refused("unknown_of_class")
    answer["known"] = {
        image_id: dict(zip(names, states, strict=True))
        for image_id, names, states in zip(
            *dataset.values(["id", "known.classifications.label", "known.classifications.state"]), strict=True
        )
    }
    panel = {"__method__": "on_load", "panel_id": "p", "state": {}, "event_args": {}}
    requests = call("logicmix_status", **panel).executor.to_json()["requests"]
    answer["panel"] = json.dumps(requests, default=str)

    with ServerProcess(Path(root)):
        answer["through_server"] = call("accept_pseudo_labels", ids, class_name="all classes").result
        answer["refusal"] = refused("accept_pseudo_labels", ids, class_name="all classes", min_confidence=2.0)
        answer["trained"] = call("train", recipe="quick").result
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
