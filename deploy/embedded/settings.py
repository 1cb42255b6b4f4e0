"""The configuration file of the local stack and of the tests: both sources, the secrets in files beside it."""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.certificate_files import DevelopmentCertificates
from deploy.embedded.files import write_file

ETHOCA_USER = "ethoca"
RESELLER_USER = "reseller"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the stack generates once and keeps, one file each."""

    ethoca_password: str
    reseller_password: str
    reseller_api_key: str
    console_token: str
    receiver_secret: str
    sealing_keys: str
    matching_key: str


def ensure_secrets(folder: Path) -> Secrets:
    """Return the secrets in `folder`, making those that are missing. Losing the keys would lose every sealed body."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(name: str, fresh: str) -> str:
        file = folder / name
        if not file.exists():
            write_file(file, fresh + "\n", 0o600)
        return file.read_text(encoding="utf-8").strip()

    return Secrets(
        ethoca_password=keep("ethoca_password", secrets.token_urlsafe(24)),
        reseller_password=keep("reseller_password", secrets.token_urlsafe(24)),
        reseller_api_key=keep("reseller_api_key", secrets.token_urlsafe(24)),
        console_token=keep("console_token", secrets.token_urlsafe(24)),
        receiver_secret=keep("receiver_secret", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()),
        sealing_keys=keep("sealing_keys", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
        matching_key=keep("matching_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
    )


def write_configuration(
    file: Path, certificates: DevelopmentCertificates, secrets_folder: Path, subject: str, further: str = ""
) -> None:
    """Write the TOML file. `subject` is the client certificate that may push as Ethoca, `further` are more tables."""

    def text(value: object) -> str:
        return json.dumps(str(value), ensure_ascii=False)  # a JSON string is a TOML basic string

    def secret(name: str) -> str:
        return f"{{file = {text(secrets_folder / name)}}}"

    content = f"""\
# Written anew at every start of the local stack; start from deploy/alert-intake.example.toml for your own.

[tls]
certificate = {text(certificates.server.certificate)}
key = {text(certificates.server.key)}
client_ca = {text(certificates.authority.certificate)}
crl = {text(certificates.crl)}

[sealing]
keys = {secret("sealing_keys")}
matching = {secret("matching_key")}

[console]
token = {secret("console_token")}

[forwarding]
# The receiver of the local stack listens on this machine, in plain HTTP.
allow_http = true
allow_private_addresses = true

[[sources]]
name = "ethoca"
format = "ethoca"
paths = ["/api/push/alerts"]
network = "ethoca"
subjects = [{text(subject)}]

[[sources.credentials]]
scheme = "basic"
user = {text(ETHOCA_USER)}
password = {secret("ethoca_password")}

[[sources]]
name = "reseller"
format = "reseller"
certificate = "optional"
repair = "bare-uuid"

[[sources.credentials]]
scheme = "basic"
user = {text(RESELLER_USER)}
password = {secret("reseller_password")}

[[sources.credentials]]
scheme = "header"
name = "X-API-Key"
value = {secret("reseller_api_key")}
{further}"""
    write_file(file, content, 0o600)
