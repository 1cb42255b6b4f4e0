"""Tell an image which version it holds: ``name_version.py pyproject.toml FOLDER``.

The images copy the sources of their own part instead of installing the package, which has all parts in it. So they lack
the metadata that `importlib.metadata` reads, and with it `alert-intake --version`; this writes it into FOLDER.
"""

import sys
import tomllib
from pathlib import Path


def write_metadata(project_file: Path, folder: Path) -> None:
    """Write the name and version of the project as installed packages have them."""
    project = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    target = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    target.mkdir(parents=True)
    (target / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n", encoding="utf-8")


if __name__ == "__main__":
    write_metadata(Path(sys.argv[1]), Path(sys.argv[2]))
