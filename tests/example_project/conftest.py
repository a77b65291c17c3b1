"""One running demo for all tests that only look at it or use it under names of their own."""

from collections.abc import Iterator

import pytest

from tests.example_project.processes import Demo, started_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo, its rate limits off."""
    with started_demo(tmp_path_factory.mktemp("demo"), WXAUTH_THROTTLES="0") as demo:
        yield demo
