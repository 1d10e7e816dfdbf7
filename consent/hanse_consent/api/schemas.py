"""How the OpenAPI document tells of bodies that routes read themselves, and of problem documents."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from hanse_consent.api.problems import Problem

_INNER = "#/$defs/"
_COMPONENTS = "#/components/schemas/"
_CONTROLLER = {
    "name": "controller",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,39}$"},
    "description": "The controller, named by a person; a node is one.",
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    kind: {
        "description": description,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for kind, description in (("4XX", "The request is refused."), ("5XX", "The service failed."))
}
"""Every refusal and every failure: RFC 9457."""


def body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The part of a route's description that tells of its body, and of the controller that a person names."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}, "parameters": [_CONTROLLER]}


def describe_bodies(service: FastAPI) -> None:
    """Let references inside described bodies resolve: their definitions move to the document's components."""
    make = service.openapi

    def openapi() -> dict[str, Any]:
        if service.openapi_schema is None:
            service.openapi_schema = _with_definitions_in_components(make())
        return service.openapi_schema

    service.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def _with_definitions_in_components(made: dict[str, Any]) -> dict[str, Any]:
    document = deepcopy(made)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = _moved(content["schema"], components)
    return document


def _moved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.get("$defs", {})
    same = {name: name for name in definitions}
    # What is sent may be described otherwise than what is answered under the same name.
    names = {
        name: name if components.get(name, moved) == moved else f"{name}Sent"
        for name, moved in ((name, _renamed(definition, same)) for name, definition in definitions.items())
    }
    for name, definition in definitions.items():
        components[names[name]] = _renamed(definition, names)
    outer = {key: value for key, value in schema.items() if key != "$defs"}
    renamed: dict[str, Any] = _renamed(outer, names)
    return renamed


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _COMPONENTS + names[inner.removeprefix(_INNER)]
        if key == "$ref" and isinstance(inner, str) and inner.startswith(_INNER)
        else _renamed(inner, names)
        for key, inner in value.items()
    }
