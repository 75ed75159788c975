"""Which topics each service reads in which consumer group, asked of the services themselves."""

import ast
import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from chassis.app import App
from chassis.topics import TOPICS
from tests.architecture.sources import PROJECT

PACKAGES: Final = ("order_service", "inventory_service", "supplier_service", "payment_service")
_NOWHERE: Final = "postgresql://nobody:none@127.0.0.1:1/none"


def topics_read() -> Mapping[str, set[str]]:
    """By context: what its groups read."""
    return {
        context: {topic for topics in groups.values() for topic in topics}
        for context, groups in consumer_groups().items()
    }


def topics_written() -> Mapping[str, set[str]]:
    """By context: every topic that its code names, but for those that it reads; no service does both with one."""
    contexts = dict(zip(consumer_groups(), PACKAGES, strict=True))
    return {context: _named_in(package) - topics_read()[context] for context, package in contexts.items()}


def _named_in(package: str) -> set[str]:
    texts = {
        node.value
        for file in (PROJECT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
    }
    return {topic.name for topic in TOPICS} & texts


@cache
def consumer_groups() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """By context, by group: its topics. In a process of its own, as services put together stay together."""
    told = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True).stdout
    groups: dict[str, dict[str, list[str]]] = json.loads(told)
    return groups


async def _all() -> dict[str, dict[str, list[str]]]:
    return dict(_of(package) for package in PACKAGES)


def _of(package: str) -> tuple[str, dict[str, list[str]]]:
    service = importlib.import_module(f"{package}.__main__").SERVICE
    urls: dict[str, Any] = {name: _NOWHERE for name in service.settings.model_fields if name.endswith("_database_url")}
    app = App(service.context, service.settings(**urls), service.migrations)
    service.build(app)
    return service.context, {consumer.folding.consumer: list(consumer._topics) for consumer in app._consumers}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all())))
