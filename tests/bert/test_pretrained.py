"""Encoders from a folder, and what is said when the folder is not one."""

import shutil
from pathlib import Path

import pytest
import torch

from rewriter.bert.pretrained import encoder_folder, first_layers, load_pretrained, packaged_folder, verify_weights
from rewriter.errors import RewriterError


def test_weights_with_another_sha_are_refused(tiny_bert: Path) -> None:
    with pytest.raises(RewriterError, match=r"SHA-256 [0-9a-f]{64}, expected 0{64}"):
        verify_weights(tiny_bert, "0" * 64)
    with pytest.raises(RewriterError, match="expected dead"):
        packaged_folder("dead")


def test_one_flipped_byte_of_the_packaged_weights_is_noticed(tmp_path: Path) -> None:
    source = packaged_folder()
    weights = bytearray((source / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(RewriterError, match="SHA-256"):
        verify_weights(tmp_path, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")


def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RewriterError, match=r"missing model\.safetensors or .*, tokenizer\.json or vocab\.txt"):
        encoder_folder(tmp_path)
    with pytest.raises(RewriterError, match="no such folder"):
        encoder_folder(tmp_path / "absent")


def test_a_folder_with_a_broken_config_gives_one_line(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny_bert, folder)
    (folder / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(RewriterError) as caught:
        load_pretrained(folder)
    assert "cannot be read" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_vocabulary_alone_makes_the_same_tokens_as_the_tokenizer_file(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vocabulary"
    shutil.copytree(tiny_bert, folder)
    (folder / "tokenizer.json").unlink()
    text = "Play the jazz album, please"
    _, with_file = load_pretrained(tiny_bert)
    _, without = load_pretrained(folder)
    assert with_file.encode(text).ids == without.encode(text).ids
    assert with_file.encode(text).tokens[:4] == ["[CLS]", "play", "the", "jazz"]


def test_the_first_layers_are_the_encoder_stopped_there(tiny_bert: Path) -> None:
    ids = torch.tensor([[2, 5, 6, 3]])
    whole, _ = load_pretrained(tiny_bert)
    hidden = whole(ids, output_hidden_states=True).hidden_states
    for n_layers, expected in ((1, hidden[1]), (2, hidden[2]), (5, hidden[2])):
        fewer = first_layers(load_pretrained(tiny_bert)[0], n_layers)
        assert torch.equal(fewer(ids).last_hidden_state, expected)


def test_layers_that_are_kept_elsewhere_stay() -> None:
    deep = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert len(first_layers(deep, 1)) == 2
