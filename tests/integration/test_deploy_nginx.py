"""The nginx settings that the compose file mounts, read by a real nginx that runs without root."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import CertificateFiles
from tests.programs import require_program

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def test_nginx_accepts_the_settings_without_root(engines_folder: Path, certificates: CertificateFiles) -> None:
    """The two files together are a configuration that nginx can use as an ordinary user, writing only below /tmp."""
    nginx = require_program("nginx", "nginx-light")
    folder = engines_folder / "nginx"
    writable = folder / "writable"
    writable.mkdir(parents=True)
    for name, source in (
        ("server.pem", certificates.server.certificate),
        ("server.key", certificates.server.key),
        ("client-ca.pem", certificates.ca),
    ):
        shutil.copyfile(source, folder / name)
    for name in ("nginx.conf", "alert-intake.conf"):
        text = (ROOT / "deploy" / "nginx" / name).read_text(encoding="utf-8")
        text = re.sub(r"(?<= )/tmp\b", f"{writable}", text)
        # The engine hands its standard output over to the user of the container; this test's belongs to root.
        text = text.replace("/dev/stdout", f"{writable}/access.log")
        text = text.replace("/etc/alert-intake/tls/", f"{folder}/").replace("/etc/nginx/", f"{folder}/")
        (folder / name).write_text(text, encoding="utf-8")
    user = NOBODY if os.getuid() == 0 else None
    if user is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, user, user)
    command = [nginx, "-e", "stderr", "-g", "daemon off;", "-c", str(folder / "nginx.conf"), "-t"]
    groups = None if user is None else [user]
    result = subprocess.run(
        command, user=user, group=user, extra_groups=groups, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "warn" not in result.stderr
    assert {path.name for path in writable.iterdir()} >= {"client_body", "proxy"}
