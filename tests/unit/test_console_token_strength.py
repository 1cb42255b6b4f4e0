"""`alert-intake doctor` finds a console token that somebody could guess."""

from pathlib import Path

import pytest

from console.diagnosis.configured import check_secrets
from schemas.settings.configuration import load_configuration


@pytest.mark.parametrize(("token", "well"), [("a" * 23, False), ("a" * 24, True)])
def test_short_token_is_found(configuration_file: Path, tmp_path: Path, token: str, well: bool) -> None:
    """A token of fewer than 24 characters is not well, and is not shown."""
    (tmp_path / "secrets" / "console_token").write_text(token)
    (check,) = check_secrets(load_configuration(str(configuration_file)))
    assert check.well is well
    assert token not in check.found
    assert ("console.token is short enough to be guessed" in check.found) is not well


@pytest.mark.parametrize(("secret", "well"), [("a" * 15, False), ("a" * 16, True)])
@pytest.mark.parametrize(
    ("file", "named", "alone"),
    [
        ("reseller_password", "sources.reseller.password", True),
        ("reseller_api_key", "sources.reseller.X-API-Key", True),
        ("ethoca_password", "sources.ethoca.password", False),
    ],
)
def test_short_secret_that_stands_alone_is_found(
    configuration_file: Path, tmp_path: Path, secret: str, well: bool, file: str, named: str, alone: bool
) -> None:
    """Where no certificate is demanded a credential is the only lock; beside one it is the second."""
    (tmp_path / "secrets" / file).write_text(secret)
    (check,) = check_secrets(load_configuration(str(configuration_file)))
    assert check.well is (well or not alone)
    assert (f"{named} is short enough to be guessed" in check.found) is (alone and not well)
    assert secret not in check.found
