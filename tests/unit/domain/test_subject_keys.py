from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hanse.domain.subjects import PREFIX, SubjectKeys
from hanse.errors import ConcurrencyConflict, DecodeError, StoreError, SubjectForgotten


@pytest.fixture
def keys(tmp_path: Path) -> SubjectKeys:
    return SubjectKeys(tmp_path / "keys.db")


def test_what_is_encrypted_can_be_read_by_its_subject_only(keys: SubjectKeys) -> None:
    sealed = keys.encrypt("ana", "Rua São João 5")
    assert sealed.startswith(PREFIX)
    assert "João" not in sealed
    assert keys.decrypt("ana", sealed) == "Rua São João 5"
    keys.encrypt("bruno", "x")
    with pytest.raises(DecodeError):
        keys.decrypt("bruno", sealed)


def test_equal_texts_have_different_ciphertexts(keys: SubjectKeys) -> None:
    assert keys.encrypt("ana", "x") != keys.encrypt("ana", "x")


def test_a_forgotten_subject_reads_as_none_and_gets_no_new_key(keys: SubjectKeys) -> None:
    sealed = keys.encrypt("ana", "secret")
    keys.forget("ana")
    keys.forget("ana")
    assert keys.decrypt("ana", sealed) is None
    with pytest.raises(SubjectForgotten):
        keys.encrypt("ana", "again")


def test_forgetting_reaches_other_processes(keys: SubjectKeys, tmp_path: Path) -> None:
    other = SubjectKeys(tmp_path / "keys.db")
    sealed = keys.encrypt("ana", "secret")
    assert other.decrypt("ana", sealed) == "secret"
    keys.forget("ana")
    assert other.decrypt("ana", sealed) is None
    other.close()


def test_a_forgotten_key_is_not_left_in_the_files(keys: SubjectKeys, tmp_path: Path) -> None:
    keys.encrypt("ana", "secret")
    [row] = keys._connection.execute("SELECT key FROM subjects").fetchall()  # pyright: ignore[reportPrivateUsage]
    keys.forget("ana")
    for file in tmp_path.iterdir():
        assert row[0] not in file.read_bytes(), file.name


def test_a_batch_commits_many_new_keys_at_once(keys: SubjectKeys, tmp_path: Path) -> None:
    with keys.batch():
        sealed = {str(n): keys.encrypt(str(n), f"text {n}") for n in range(500)}
    keys.close()
    again = SubjectKeys(tmp_path / "keys.db")
    assert all(again.decrypt(n, text) == f"text {n}" for n, text in sealed.items())


def test_a_failed_batch_leaves_no_key_behind(keys: SubjectKeys) -> None:
    sealed = ""
    with pytest.raises(ZeroDivisionError), keys.batch():
        sealed = keys.encrypt("ana", "secret")
        _ = 1 // 0
    assert keys.decrypt("ana", sealed) is None
    assert keys.decrypt("ana", keys.encrypt("ana", "new")) == "new"


def test_two_batches_that_make_one_subjects_key_conflict(keys: SubjectKeys, tmp_path: Path) -> None:
    other = SubjectKeys(tmp_path / "keys.db")
    with pytest.raises(ConcurrencyConflict), keys.batch():
        keys.encrypt("ana", "first")
        kept = other.encrypt("ana", "second")
    assert keys.decrypt("ana", kept) == "second"
    other.close()


def test_the_file_is_for_its_owner_only(keys: SubjectKeys, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "keys.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["plain text", PREFIX, PREFIX + "!!!", PREFIX + "AAAA", PREFIX + "é"])
def test_what_is_no_ciphertext_is_refused(keys: SubjectKeys, text: str) -> None:
    keys.encrypt("ana", "x")
    with pytest.raises(DecodeError):
        keys.decrypt("ana", text)


def test_a_file_that_is_no_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    path.write_bytes(b"this is no database at all, however long it may be" * 100)
    with pytest.raises(StoreError, match="cannot open the keys") as caught:
        SubjectKeys(path)
    assert str(path) in str(caught.value)
