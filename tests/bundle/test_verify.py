"""One flipped byte anywhere is found, and named."""

import json

import pytest

from rewriter.bundle import verify as verify_module
from rewriter.bundle.layout import MANIFEST, read_manifest
from rewriter.bundle.verify import files_below, verify
from schemas.manifest import CONTRACT_VERSION, manifest_bytes, manifest_faults, seal
from schemas.table import ContractError


@pytest.fixture
def bundle(tmp_path, pair, publish_pairs):
    personal = tmp_path / "personal"
    personal.mkdir()
    (personal / "data.mdb").write_bytes(bytes(range(256)) * 16)
    (personal / "personal.json").write_text("{}")
    return publish_pairs(tmp_path / "bundles", pair(), folders={"personal": personal})


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_a_published_bundle_is_whole(bundle):
    assert verify(bundle) == []


def test_a_flipped_byte_in_any_file_is_found_and_the_file_named(bundle):
    files = {name: path for name, path in files_below(bundle).items() if path.stat().st_size}
    assert len(files) == 6
    for name, path in files.items():
        size = path.stat().st_size
        for at in {0, size // 2, size - 1}:
            flip(path, at)
            faults = verify(bundle)
            assert faults, f"byte {at} of {name}"
            assert name in faults[0]
            flip(path, at)
    assert verify(bundle) == []


def test_a_flipped_bit_of_any_byte_of_the_manifest_is_found(bundle):
    path = bundle / MANIFEST
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert verify(bundle), f"byte {at}: {data[at : at + 1]!r}"


def test_missing_and_added_files_are_named(bundle):
    (bundle / "settings.json").unlink()
    (bundle / "extra.bin").write_bytes(b"x")
    assert verify(bundle) == ["settings.json is missing", "extra.bin is not in the manifest"]


def test_a_bundle_under_another_name_is_found(bundle):
    moved = bundle.rename(bundle.with_name("20260102-0123456789ab"))
    assert verify(moved) == [f"the manifest is of {bundle.name}, not of 20260102-0123456789ab"]


def test_only_a_large_personal_store_is_left_to_its_own_checksums_at_the_start(bundle, monkeypatch):
    flip(bundle / "personal/data.mdb", 100)
    assert verify(bundle, whole=False) == ["personal/data.mdb does not match its checksum"]
    monkeypatch.setattr(verify_module, "LARGE_STORE_BYTES", 1000)
    assert verify(bundle, whole=False) == []
    assert verify(bundle) == ["personal/data.mdb does not match its checksum"]
    (bundle / "personal/data.mdb").write_bytes(b"short")
    assert verify(bundle, whole=False) == ["personal/data.mdb has 5 bytes, expected 4096"]


def test_every_fault_of_a_manifest_is_named_at_once():
    faults = manifest_faults({"version": 3, "data_days": "today", "files": [{"path": "a", "sha256": "b"}], "more": 1})
    assert faults == [
        "unknown field 'more'",
        "missing 'contract_version' (int64)",
        "version is int, expected string",
        "data_days is str, expected list",
        "missing 'settings' (extension<arrow.json>)",
        "missing 'metrics' (extension<arrow.json>)",
        "files[0].n_bytes is NoneType, expected int64",
        "missing 'checksum' (string)",
    ]


def test_a_bundle_of_another_contract_is_refused_even_if_it_is_well_sealed(bundle):
    content = {k: v for k, v in read_manifest(bundle).items() if k not in ("version", "parent", "checksum")}
    newer = seal(content | {"contract_version": CONTRACT_VERSION + 1}, None)
    (bundle / MANIFEST).write_bytes(manifest_bytes(newer))
    said = f"contract_version is {CONTRACT_VERSION + 1}, this release reads {CONTRACT_VERSION}: publish"
    with pytest.raises(ContractError, match=said):
        read_manifest(bundle)


def test_a_manifest_that_is_no_json_or_no_object_is_one_clear_fault(bundle):
    for data in (b"", b"{", b"[]", json.dumps([1]).encode(), b"[" * 100_000):
        (bundle / MANIFEST).write_bytes(data)
        assert len(verify(bundle)) == 1
