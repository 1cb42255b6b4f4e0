"""Where a command finds its servers."""

from pathlib import Path

import pytest

from console.surroundings import adopt_surroundings, complete_environment, read_run_file
from schemas.settings.secret import ConfigurationError

RUN = {"JOURNAL_URL": "redis://here", "DATABASE_URL": "postgresql://here", "ALERT_INTAKE_CONFIG": "/here/config.toml"}


def test_run_file_is_read_unquoted_with_the_configuration_beside_it(tmp_path: Path) -> None:
    """Values hold = signs and quotes as they are; config.toml in the same folder is the configuration."""
    (tmp_path / "run.env").write_text('# a comment = no value\nA=b=c\nQ="q"\n\nPUSH_URL=https://localhost:1\n')
    (tmp_path / "config.toml").touch()
    assert read_run_file(tmp_path / "run.env") == {
        "A": "b=c",
        "Q": '"q"',
        "PUSH_URL": "https://localhost:1",
        "ALERT_INTAKE_CONFIG": str(tmp_path / "config.toml"),
    }


def test_what_is_not_set_comes_from_the_run_file() -> None:
    """An environment that agrees with the run file, or says nothing, is completed by it."""
    assert complete_environment({}, RUN) == RUN
    own = {"JOURNAL_URL": "redis://here", "OTHER": "x"}
    assert complete_environment(own, RUN) == {name: RUN[name] for name in ("DATABASE_URL", "ALERT_INTAKE_CONFIG")}


@pytest.mark.parametrize("name", ["JOURNAL_URL", "DATABASE_URL", "BROKER_URL", "PUSH_URL", "ALERT_INTAKE_CONFIG"])
def test_two_installations_are_never_mixed(name: str) -> None:
    """One address that names another installation keeps the whole run file out."""
    assert complete_environment({name: "elsewhere"}, RUN) == {}


def test_a_run_file_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named by --env is an error when it is missing; ./var/run.env is looked for in silence."""
    monkeypatch.chdir(tmp_path)
    adopt_surroundings(None)
    with pytest.raises(ConfigurationError, match=r"other\.env"):
        adopt_surroundings("other.env")
