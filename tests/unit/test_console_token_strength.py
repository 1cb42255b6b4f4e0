"""`alert-intake doctor` finds a console token that somebody could guess."""

from pathlib import Path

import pytest

from console.diagnosis.configured import check_secrets
from schemas.configuration import load_configuration


@pytest.mark.parametrize(("token", "well"), [("a" * 23, False), ("a" * 24, True)])
def test_short_token_is_found(configuration_file: Path, tmp_path: Path, token: str, well: bool) -> None:
    """A token of fewer than 24 characters is not well, and is not shown."""
    (tmp_path / "secrets" / "console_token").write_text(token)
    (check,) = check_secrets(load_configuration(str(configuration_file)))
    assert check.well is well
    assert token not in check.found
    assert ("console.token is short enough to be guessed" in check.found) is not well
