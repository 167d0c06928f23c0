"""Where a `$ref` leads: pointers, `$id`, anchors, other documents, the meta-schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from hanse.errors import SchemaError
from hanse.schemas.finding import short

ROOT = "mem://input/"
_MODERN = ("json-schema.org/draft/2019-09/schema", "json-schema.org/draft/2020-12/schema")
_DRAFT_4 = "json-schema.org/draft-04/schema"
_DRAFT_6 = "json-schema.org/draft-06/schema"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DATA = {"enum", "const", "default", "examples"}


@dataclass(frozen=True, slots=True)
class Place:
    """A schema within its document: `base` resolves its references, `document` is the whole of it."""

    raw: Any
    pointer: str
    base: str
    document: Any
    draft: int

    @property
    def modern(self) -> bool:
        """Draft 2019-09 or later."""
        return self.draft >= 2019

    def child(self, *keys: str | int) -> Place:
        """The place of an inner schema."""
        raw = self.raw
        for key in keys:
            raw = raw[key]
        steps = "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)
        return replace(self, raw=raw, pointer=self.pointer + steps)

    def scoped(self) -> Place:
        """The same, with its own `$id` as the base."""
        own = own_id(self.raw, self.draft)
        return replace(self, base=_join(self.base, own)) if own else self


def draft_of(document: Any) -> int:
    """4, 6, 7, 2019 or 2020, by `$schema`; 7 when it does not say or says something unknown."""
    said = document.get("$schema") if isinstance(document, dict) else None
    if not isinstance(said, str):
        return 7
    name = said.removeprefix("https://").removeprefix("http://").rstrip("#")
    if name in _MODERN:
        return 2019 if "2019" in name else 2020
    return 4 if name.startswith(_DRAFT_4) else 6 if name.startswith(_DRAFT_6) else 7


def own_id(raw: Any, draft: int) -> str | None:
    """The identifier that a schema gives itself, unless it is a mere anchor."""
    found = raw.get("id" if draft == 4 else "$id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and not found.startswith("#") else None


class Documents:
    """The root document, those it may refer to, and all identifiers and anchors in them."""

    def __init__(self, root: Any, others: Mapping[str, Any]) -> None:
        self._root = self._place(root, ROOT)
        base = self._root.scoped().base
        self._by_uri: dict[str, Place] = {}
        for name, document in others.items():
            place = self._place(document, _join(base, name))
            for uri in (name, f"./{name}", _join(base, name), _join(ROOT, name)):
                self._by_uri.setdefault(_bare(uri), place)
        for place in (self._root, *list(self._by_uri.values())):
            self._collect(place)

    def root(self) -> Place:
        """The place of the root schema."""
        return self._root

    def find(self, ref: str, place: Place) -> Place:
        """The place that a reference means. Raises SchemaError when there is none."""
        found = self._find(ref, place)
        if found is None:
            raise SchemaError(
                f"the $ref {short(ref, 80)!r} leads nowhere",
                where=place.pointer,
                fix="define it under $defs, or register the schema and add a reference",
            )
        return found

    def _find(self, ref: str, place: Place) -> Place | None:
        if ref in {"", "#"} or ref.startswith("#/"):
            within = self._by_uri.get(_bare(place.base))
            root = replace(place, raw=place.document, pointer="#", base=self._base_of(place))
            return _walk(root, ref[1:]) or (_walk(within, ref[1:]) if within else None)
        try:
            absolute = _join(place.base, ref)
        except ValueError:
            return None
        for uri in (absolute, ref):
            if _bare(uri) in self._by_uri:
                return self._by_uri[_bare(uri)]
        for uri in (absolute, ref):
            document, fragment = urldefrag(uri)
            target = self._by_uri.get(_bare(document)) or self._meta_schema(document)
            if target is not None:
                return _walk(target, fragment)
        return None

    def _meta_schema(self, uri: str) -> Place | None:
        """A published meta-schema, with the anchors in it; nothing is fetched."""
        found = _published(uri)
        if found is not None:
            self._by_uri[_bare(uri)] = found
            self._collect(found)
        return found

    def _base_of(self, place: Place) -> str:
        known = next((p for p in self._by_uri.values() if p.raw is place.document), None)
        return known.base if known else self._root.base

    def _place(self, document: Any, base: str) -> Place:
        bridged = _with_defs(document)
        return Place(bridged, "#", base, bridged, draft_of(document))

    def _collect(self, start: Place) -> None:
        """Note every `$id` and anchor below a place; without recursion, so that depth does no harm."""
        waiting = [(start.raw, start.pointer, start.base)]
        while waiting:
            raw, pointer, base = waiting.pop()
            if isinstance(raw, list):
                waiting.extend((item, f"{pointer}/{i}", base) for i, item in enumerate(raw))
            if not isinstance(raw, dict):
                continue
            own = own_id(raw, start.draft)
            if own:
                base = _join(base, own)
                self._note(base, start, raw, pointer, base)
            for anchor in _anchors(raw, start.draft):
                self._note(f"{_bare(base)}#{anchor}", start, raw, pointer, base)
            waiting.extend((v, f"{pointer}/{k}", base) for k, v in raw.items() if k not in _DATA)

    def _note(self, uri: str, start: Place, raw: Any, pointer: str, base: str) -> None:
        self._by_uri.setdefault(_bare(uri), replace(start, raw=raw, pointer=pointer, base=base))


def _anchors(raw: Mapping[str, Any], draft: int) -> list[str]:
    named = [raw.get(key) for key in ("$anchor", "$dynamicAnchor", "$recursiveAnchor") if draft >= 2019]
    fragment = raw.get("id" if draft == 4 else "$id")
    if isinstance(fragment, str) and fragment.startswith("#") and len(fragment) > 1:
        named.append(fragment[1:])
    return [anchor for anchor in named if isinstance(anchor, str)]


def _walk(place: Place, fragment: str) -> Place | None:
    found = place
    for step in fragment.split("/")[1:]:
        if fragment and not fragment.startswith("/"):
            return None
        raw, key = found.raw, unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(raw, dict) and key in raw:
            found = found.scoped().child(key)
        elif isinstance(raw, list) and key.isdigit() and int(key) < len(raw):
            found = found.child(int(key))
        else:
            return None
    return found if not fragment or fragment.startswith("/") else None


def _with_defs(document: Any) -> Any:
    """`#/$defs/X` is found as well where the document keeps X under `definitions`."""
    if not isinstance(document, dict) or not isinstance(document.get("definitions"), dict):
        return document
    defs = document.get("$defs", {})
    return {**document, "$defs": {**document["definitions"], **defs}} if isinstance(defs, dict) else document


def _published(uri: str) -> Place | None:
    if "json-schema.org/" not in uri:
        return None
    from jsonschema_specifications import REGISTRY

    for candidate in (uri, f"{uri}#", uri.replace("https://", "http://"), uri.replace("http://", "https://")):
        found = REGISTRY.get(candidate)
        if found is not None:
            contents = found.contents
            return Place(contents, "#", candidate, contents, draft_of(contents))
    return None


def _bare(uri: str) -> str:
    return uri.rstrip("#")


def _join(base: str, ref: str) -> str:
    """Resolve a reference; the scheme of the base does not matter, though the library knows only a few."""
    if ref.startswith("#"):
        return urldefrag(base)[0] + ref
    scheme, separator, rest = base.partition("://")
    if not separator or _SCHEME.match(ref):
        return ref if _SCHEME.match(ref) else urljoin(base, ref)
    return scheme + urljoin(f"http://{rest}", ref).removeprefix("http")
