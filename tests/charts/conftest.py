"""What the tests need: the tools of tests/setup/kubernetes.sh. Where there are none those that use them are skipped."""

import os
import pathlib

import pytest

# Tests that run without Helm.
NEED_NOTHING = {"test_files", "test_okteto_rules"}


def pytest_report_header(config):
    folder = os.environ.get("SIDEREAL_TEST_KUBERNETES", "")
    return f"tools: {folder or 'NONE: every test with Helm or Kubernetes is skipped'}"


def pytest_collection_modifyitems(items):
    folder = os.environ.get("SIDEREAL_TEST_KUBERNETES", "")
    if folder and pathlib.Path(folder, "tools.ok").exists():
        if pathlib.Path(folder, "all.ok").exists():
            return
        missing = {"test_cluster", "test_deploy"}
    else:
        missing = {item.module.__name__ for item in items} - NEED_NOTHING
    if os.environ.get("CI"):
        raise pytest.UsageError("SIDEREAL_TEST_KUBERNETES is not what tests/setup/kubernetes.sh prints")
    for item in items:
        if item.module.__name__ in missing:
            item.add_marker(pytest.mark.skip(reason="no tools of Kubernetes here: tests/setup/kubernetes.sh brings them"))
