"""Make what docker-compose.yml needs and no repository may hold: passwords, keys, development certificates.

``python -m deploy.make_secrets`` writes deploy/secrets. What is there already is kept, so it can be run again, and so
server_certificate, server_key and client_ca can be replaced by real ones. Compose mounts each file with the owner and
mode it has here, into containers that run as other users: hence readable files, in a folder that is closed to others.
"""

import base64
import secrets
import sys
from pathlib import Path

from deploy.embedded.certificate_files import ensure_certificates

FOLDER = Path(__file__).resolve().parent / "secrets"


def make_values() -> dict[str, str]:
    """Return file name -> content, all freshly made. Passwords are hexadecimal: they stand in addresses unescaped."""
    journal, broker, database = (secrets.token_hex(24) for _ in range(3))
    return {
        "journal_password": f"requirepass {journal}",
        "journal_url": f"redis://:{journal}@journal:6379/0",
        "broker_password": f"requirepass {broker}",
        "broker_url": f"redis://:{broker}@broker:6379/0",
        "database_password": database,
        "database_url": f"postgresql://alert_intake:{database}@postgres:5432/alert_intake",
        "sealing_keys": base64.b64encode(secrets.token_bytes(32)).decode(),
        "matching_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "console_token": secrets.token_urlsafe(32),
        "ethoca_password": secrets.token_urlsafe(24),
        "reseller_password": secrets.token_urlsafe(24),
        "reseller_api_key": secrets.token_urlsafe(24),
    }


# A password and the address that holds it are made together or not at all.
PAIRS = (
    ("journal_password", "journal_url"),
    ("broker_password", "broker_url"),
    ("database_password", "database_url"),
)


def make_secrets(folder: Path) -> list[str]:
    """Write what is missing in `folder` and return the names. Raises FileExistsError for half a pair."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for pair in PAIRS:
        present = [name for name in pair if (folder / name).exists()]
        if len(present) == 1:
            raise FileExistsError(f"{folder / present[0]} is there and its other half is not: {' and '.join(pair)}")
    certificates = ensure_certificates(folder / "development")
    values = make_values() | {
        "server_certificate": certificates.server.certificate.read_text(encoding="ascii"),
        "server_key": certificates.server.key.read_text(encoding="ascii"),
        "client_ca": certificates.authority.certificate.read_text(encoding="ascii"),
    }
    return [name for name, value in values.items() if write_new(folder / name, value.rstrip("\n") + "\n")]


def write_new(file: Path, content: str) -> bool:
    """Write a file that does not exist yet; say whether it was written."""
    if file.exists():
        return False
    file.write_text(content, encoding="ascii")
    file.chmod(0o444)
    return True


def main() -> None:
    """Make them in deploy/secrets."""
    try:
        written = make_secrets(FOLDER)
    except FileExistsError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{FOLDER}: {', '.join(written) if written else 'nothing was missing'}\n")
    sys.stdout.write("The certificates are for development: replace server_certificate, server_key and client_ca.\n")


if __name__ == "__main__":
    main()
