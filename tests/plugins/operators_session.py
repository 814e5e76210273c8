"""Run in a process of its own: calls the plugin's operators as the FiftyOne App would; prints one JSON object."""

import json
import sys
from typing import Any

from logicmix_studio.environment import prepare_environment


def main(uri: str, server_file: str, workspace: str) -> None:
    prepare_environment(database_uri=uri)
    import fiftyone as fo
    import fiftyone.operators as foo

    dataset = fo.load_dataset(fo.list_datasets()[0])
    answer: dict[str, Any] = {"operators": sorted(o.uri for o in foo.list_operators() if "logicmix" in o.uri)}

    def call(name: str, selected: list[str] | None = None, **params: Any) -> Any:
        context = {"dataset": dataset, "selected": selected or [], "params": params}
        return foo.execute_operator(f"@logicmix/studio/{name}", context)

    def refused(name: str, **params: Any) -> str:
        try:
            call(name, **params)
        except Exception as error:
            return str(error)
        return ""

    def pseudo() -> dict[str, list[str]]:
        pairs = zip(*dataset.values(["id", "pseudo.classifications.label"]), strict=True)
        return {image_id: sorted(names or ()) for image_id, names in pairs}

    ids = dataset.values("id")
    answer["before"] = pseudo()
    answer["nothing"] = refused("accept_pseudo_labels", class_name="all classes")
    answer["accepted"] = call("accept_pseudo_labels", ids[:2], class_name="dog").result
    answer["after_accept"] = pseudo()
    answer["rejected"] = call(
        "reject_pseudo_labels", ids, class_name="all classes", min_confidence=0.985
    ).result
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

    with open(server_file, encoding="utf-8") as file:
        server = file.read()
    with open(f"{workspace}/server.json", "w", encoding="utf-8") as file:
        file.write(server)
    answer["over_http"] = call("accept_pseudo_labels", ids, class_name="all classes").result
    answer["trained"] = call("train", recipe="quick").result
    answer["refusal"] = refused("train", recipe="2wayaug-pl")
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
