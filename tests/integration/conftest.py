"""The project that all tests of this folder look at."""

from collections.abc import Iterator

import pytest

from tests.integration.project import Project, project_by_the_readme


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A running project that has followed the README."""
    with project_by_the_readme(tmp_path_factory.mktemp("new_project")) as project:
        yield project
