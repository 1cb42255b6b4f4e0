"""The facts of a run: its addresses and credentials, as run.env holds them, and a sender that has them."""

import os

from deploy.embedded.layout import Layout
from deploy.embedded.samples import Sender
from deploy.embedded.settings import ETHOCA_USER, RESELLER_USER, Secrets


def describe_run(layout: Layout, ports: dict[str, int], addresses: dict[str, str], secrets: Secrets) -> dict[str, str]:
    """Return what run.env holds."""
    folder = layout.certificates
    return {
        "PUSH_URL": f"https://127.0.0.1:{ports['push']}",
        "PLATFORM_URL": f"http://127.0.0.1:{ports['platform']}",
        "CONSOLE_URL": f"http://127.0.0.1:{ports['console']}",
        "CONSOLE_TOKEN": secrets.console_token,
        "CA_CERT": str(folder / "ca.pem"),
        "CLIENT_CERT": str(folder / "client.pem"),
        "CLIENT_KEY": str(folder / "client.key"),
        "ETHOCA_BASIC": f"{ETHOCA_USER}:{secrets.ethoca_password}",
        "RESELLER_BASIC": f"{RESELLER_USER}:{secrets.reseller_password}",
        "RESELLER_API_KEY": secrets.reseller_api_key,
        **addresses,
        "RECEIVER_URL": f"http://127.0.0.1:{ports['receiver']}",
        "RUN_PID": str(os.getpid()),
    }


def sender_of(facts: dict[str, str]) -> Sender:
    """Return a sender with the credentials of this run."""

    def split(basic: str) -> tuple[str, str]:
        user, _, password = basic.partition(":")
        return user, password

    return Sender(
        facts["PUSH_URL"],
        facts["CA_CERT"],
        (facts["CLIENT_CERT"], facts["CLIENT_KEY"]),
        {"ethoca": split(facts["ETHOCA_BASIC"]), "reseller": split(facts["RESELLER_BASIC"])},
    )
