"""The mesh as it was at a git ref, laid out in a temporary folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hanse.errors import ConfigError

_PARTS = ("hanse.toml", "domains", "governance/policies.toml")
_TIMEOUT_S = 60
_MAX_BYTES = 1_000_000_000


def resolve_ref(root: Path, ref: str) -> str:
    """The commit id of a ref. Raises ConfigError: no repository, unknown ref, shallow clone."""
    if ref.startswith("-") or not ref.strip() or any(c.isspace() or ord(c) < 32 for c in ref):
        raise ConfigError("the base is not a git ref", where=str(root), got=repr(ref))
    if _git(root, "rev-parse", "--git-dir").returncode:
        raise ConfigError(
            "there is no git repository to compare with",
            where=str(root),
            fix="run inside a clone, or leave out --base",
        )
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    shallow = _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    raise ConfigError(
        f"the base ref {ref!r} does not exist here",
        where=str(root),
        got="a shallow clone, which lacks most history" if shallow else None,
        fix=(
            "fetch the history first: `git fetch --unshallow`, or `fetch-depth: 0` in the workflow"
            if shallow
            else "name a branch, a tag or a commit that `git rev-parse` knows, or fetch it first"
        ),
    )


@contextmanager
def checked_out(root: Path, commit: str) -> Generator[Path]:
    """A temporary copy of the mesh's descriptors at that commit; Empty if it was not there then."""
    top = Path(_git(root, "rev-parse", "--show-toplevel").stdout.decode().strip()).resolve()
    inside = root.resolve().relative_to(top).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    wanted = [p for p in _PARTS if _git(top, "cat-file", "-e", f"{commit}:{prefix}{p}").returncode == 0]
    with tempfile.TemporaryDirectory(prefix="hanse-base-") as folder:
        target = Path(folder).resolve()
        if wanted:
            _unpack(_archive(top, commit, [f"{prefix}{p}" for p in wanted]), target)
        mesh = target / inside
        mesh.mkdir(parents=True, exist_ok=True)
        yield mesh


def _archive(top: Path, commit: str, paths: list[str]) -> bytes:
    made = _git(top, "archive", "--format=tar", commit, "--", *paths)
    if made.returncode:
        raise ConfigError(
            "git could not give the base version", where=str(top), got=made.stderr.decode().strip()
        )
    return made.stdout


def _unpack(archive: bytes, target: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [m for m in tar.getmembers() if m.isfile() or m.isdir()]  # links could lead outside
        if sum(m.size for m in members) > _MAX_BYTES:
            raise ConfigError("the base version is too large", expected=f"at most {_MAX_BYTES} bytes")
        tar.extractall(target, members=members, filter="data")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not installed", fix="install git, or leave out --base") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            "git did not answer", where=str(folder), expected=f"within {_TIMEOUT_S} s"
        ) from error
