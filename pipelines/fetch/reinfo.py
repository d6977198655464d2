"""REINFO as INGEMMET's map server publishes it: an ArcGIS layer of points, read by object id.

The layer refuses `resultOffset`, so its object ids are listed first and then asked for in batches. The file
that lands is one Esri-JSON feature set in the order of the object ids, one feature a line. The registry's web
form is not read by programs; an export of it is dropped into the inbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from pipelines import files, landing
from pipelines.errors import FileRefused
from pipelines.fetch.content import read_json_object
from pipelines.fetch.http import TryAgain
from pipelines.fetch.model import Desk, NotModified, Publisher, Retrieved

ADDRESS = "https://geocatmin.ingemmet.gob.pe/arcgis/rest/services/SERV_REINFO/MapServer/0"
FILENAME = "reinfo_geocatmin.json"
BATCH = 500  # below the layer's maxRecordCount, and short enough for an address
#: What a feature set says about its features, kept from the first answer.
HEADER = ("displayFieldName", "fieldAliases", "geometryType", "spatialReference", "fields")


def collect(desk: Desk, address: str) -> Iterator[Retrieved | NotModified]:
    """The whole layer as it stood, or a failure: a registration that is missing would read as an exclusion."""
    query = f"{address}/query"
    id_field, ids = _object_ids(desk, query)
    target = desk.folder / FILENAME
    with files.atomic_path(target) as tmp:
        _write(tmp, id_field, _batches(desk, query, id_field, ids))
        again = _object_ids(desk, query)[1]
        if again != ids:
            raise FileRefused(
                f"the layer changed while it was read: {len(ids):,} object ids before, {len(again):,} after, "
                f"{len(set(ids) ^ set(again)):,} of them different",
                expected="the same object ids before and after",
                remedy="run the same command again when the publisher has finished",
                file=FILENAME,
                place=address,
            )
    yield Retrieved(target, address, landing.now_utc())


def _object_ids(desk: Desk, query: str) -> tuple[str, list[int]]:
    """(name of the object id field, all ids in order)."""
    answer = _ask(desk, query, {"where": "1=1", "returnIdsOnly": "true"}, "objectIds")
    ids = sorted(set(answer["objectIds"]))
    if not ids:
        raise FileRefused(
            "the layer lists no object ids",
            expected="the object ids of all registrations",
            remedy="try again later; the publisher may be renewing the layer",
            file=FILENAME,
            place=query,
        )
    return str(answer.get("objectIdFieldName") or "OBJECTID"), ids


def _batches(desk: Desk, query: str, id_field: str, ids: Sequence[int]) -> Iterator[tuple[dict, list[dict]]]:
    """(feature set's header, features in the order of their ids) per batch of ids, complete.

    Raises:
        FileRefused: features that stay missing after they were asked for again; all of them are counted.
    """
    missing: list[int] = []
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        header, found = _features(desk, query, id_field, batch)
        missing += [i for i in batch if i not in found]
        yield header, [found[i] for i in batch if i in found]
        desk.progress(FILENAME, start + len(batch), len(ids), "features")
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise FileRefused(
            f"{len(missing):,} of {len(ids):,} features are missing from the layer's answers ({id_field} {shown})",
            expected="one feature for every object id that the layer lists",
            remedy="run the same command again later; nothing was landed, because a missing registration "
            "would read as an exclusion",
            file=FILENAME,
            place=query,
        )


def _features(desk: Desk, query: str, id_field: str, batch: Sequence[int]) -> tuple[dict, dict[int, dict]]:
    """(header, feature by id). A server that sends fewer than asked is asked for the rest while that helps."""
    header: dict[str, Any] = {}
    found: dict[int, dict] = {}
    wanted = set(batch)
    while wanted:
        listed = ",".join(map(str, sorted(wanted)))
        params = {"objectIds": listed, "outFields": "*", "outSR": "4326", "returnGeometry": "true"}
        answer = _ask(desk, query, params, "features")
        header = header or {k: answer[k] for k in HEADER if k in answer}
        got = {i: f for f in answer["features"] if (i := _id_of(f, id_field)) in wanted}
        if not got:
            break
        found |= got
        wanted -= got.keys()
    return header, found


def _id_of(feature: Any, id_field: str) -> Any:
    attributes = feature.get("attributes") if isinstance(feature, dict) else None
    return attributes.get(id_field) if isinstance(attributes, dict) else None


def _ask(desk: Desk, query: str, params: dict[str, str], key: str) -> dict[str, Any]:
    """One answer that has the list `key`. ArcGIS reports its errors with status 200, and many of them pass."""

    def read(body: bytes, response: httpx.Response) -> dict[str, Any]:
        answer = read_json_object(body)
        if isinstance(answer, str):
            raise TryAgain(f"the answer (status {response.status_code}) {answer}")
        if isinstance(error := answer.get("error"), dict):
            raise TryAgain(f"the map server reports error {error.get('code')} ({error.get('message') or 'no message'})")
        if key == "objectIds" and answer.get(key, 0) is None:
            answer[key] = []
        if not isinstance(answer.get(key), list):
            raise TryAgain(f"the answer has the keys {', '.join(sorted(answer)) or '(none)'}, but no list {key!r}")
        return answer

    return desk.client.get(query, read, params=params | {"f": "json"})


def _write(path: Path, id_field: str, batches: Iterable[tuple[dict, list[dict]]]) -> None:
    """The feature set, batch by batch, so that memory does not grow with the registry."""
    described: dict[str, Any] | None = None
    with open(path, "w", encoding="utf-8") as out:
        for header, features in batches:
            if described is None:
                described = header
                out.write(_dump({"objectIdFieldName": id_field, **header})[:-1] + ',"features":[\n')
                separator = ""
            elif header.get("fields") != described.get("fields"):
                raise FileRefused(
                    "the layer's fields changed while it was read",
                    expected="the same fields in every answer",
                    remedy="run the same command again when the publisher has finished",
                    file=FILENAME,
                )
            for feature in features:
                out.write(separator + _dump(feature))
                separator = ",\n"
        out.write("\n]}\n")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


PUBLISHER = Publisher("reinfo", ADDRESS, collect)
