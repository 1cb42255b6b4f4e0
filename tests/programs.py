"""Programs of the operating system that a few tests run for real."""

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """Return the path of a program, or skip the test with one line that names the Debian package it comes in.

    Where ALERT_INTAKE_NO_SKIP is set (the continuous check, which installs the packages) its absence is a failure.
    """
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is not None:
        return path
    reason = f"{name} is not installed (Debian: apt-get install {package})"
    if os.environ.get("ALERT_INTAKE_NO_SKIP"):
        pytest.fail(reason)
    pytest.skip(reason)
