"""Check the deploy files without an engine: compose file, Dockerfiles, Kubernetes, scripts, YAML. By ``make check``.

One line for each file and checker; exit status 1 when any of them found something. The locked packages are held against
the known vulnerabilities as well (deploy.advisories).
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.advisories import audit_lock

ROOT = Path(__file__).resolve().parents[1]

# As strict as yamllint's default, with the line length of the repository; `on:` is a key of every workflow.
YAML_RULES = {
    "extends": "default",
    "rules": {"line-length": {"max": 120}, "document-start": "disable", "truthy": {"check-keys": False}},
}

# Checker and its arguments -> the files it is run on, one by one, as patterns from the root of the repository.
CHECKS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("docker-compose", "--project-directory", ".", "--file", "{file}", "config", "--quiet"), ("docker-compose.yml",)),
    (("hadolint", "--failure-threshold", "info", "{file}"), ("deploy/images/*.Dockerfile",)),
    (
        ("shellcheck", "--enable", "quote-safe-variables,require-variable-braces", "--severity", "style", "{file}"),
        (".ci/run", "deploy/images/start", "deploy/images/alert-intake"),
    ),
    (
        ("yamllint", "--strict", "--config-data", json.dumps(YAML_RULES), "{file}"),
        ("docker-compose.yml", ".pre-commit-config.yaml", ".github/**/*.yml", "deploy/*/**/*.y*ml"),
    ),
    # Not scaling.yaml: the kinds of KEDA are not among those of Kubernetes. Tests hold what KEDA documents of them.
    (
        ("kubernetes-validate", "--strict", "--quiet", "{file}"),
        ("deploy/kubernetes/[!ks]*.yaml", "deploy/kubernetes/*/[!k]*.yaml"),
    ),
)


def planned_checks(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each file, relative to `root`, with the command that checks it. A pattern without a file is a finding too.

    Raises FileNotFoundError for it: a checker that silently checks nothing is worse than none.
    """
    programs = Path(sys.executable).parent
    for (program, *arguments), patterns in CHECKS:
        for pattern in patterns:
            files = sorted(file.relative_to(root) for file in root.glob(pattern))
            if not files:
                raise FileNotFoundError(f"{pattern}: no such file to check with {program}")
            for file in files:
                yield (
                    file,
                    [str(programs / program), *(argument.replace("{file}", str(file)) for argument in arguments)],
                )


def check_file(root: Path, command: list[str]) -> str:
    """Run one checker. Return what it found, empty when all is well."""
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found = (result.stdout + result.stderr).strip()
    return found or f"exit status {result.returncode}" if result.returncode else ""


def main() -> int:
    """Check all files and say so, a line for each."""
    failed = False
    for file, command in planned_checks(ROOT):
        found = check_file(ROOT, command)
        failed = failed or bool(found)
        verdict = "FAILED" if found else "ok"
        sys.stdout.write(f"{verdict:<6} {Path(command[0]).name:<14} {file}\n" + (f"{found}\n" if found else ""))
    audit = audit_lock(ROOT / "requirements.lock")
    verdict = "FAILED" if audit.found else "ok" if audit.asked else "-"
    told = "requirements.lock" if audit.asked else f"not asked: {audit.why}"
    sys.stdout.write(f"{verdict:<6} {'pip-audit':<14} {told}\n" + "".join(f"{line}\n" for line in audit.found))
    return int(failed or bool(audit.found))


if __name__ == "__main__":
    sys.exit(main())
