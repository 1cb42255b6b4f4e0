"""Small files, written durably."""

import os
from pathlib import Path


def write_file(file: Path, text: str, mode: int) -> None:
    """Write a small file as a whole or not at all, durably."""
    part = file.with_name(file.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as writer:
        os.fchmod(writer.fileno(), mode)
        writer.write(text)
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
