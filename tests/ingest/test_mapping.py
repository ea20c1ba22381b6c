import pytest

from rewriter.errors import RewriterError
from rewriter.ingest.mapping import Source, identity, read_mapping


def written(tmp_path, text):
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return path


def test_a_mapping_names_columns_constants_conversions_and_words(tmp_path):
    text = """
    [columns]
    utterance = "query"
    intent = "nlu.intent.name"
    locale = {value = "de-DE"}
    at = {from = "ts", as = "epoch_ms"}
    response_status = {from = "result", values = {FAILED = "error"}}
    """
    sources = read_mapping(written(tmp_path, text))
    assert sources["utterance"] == Source("query")
    assert sources["intent"].column == "nlu.intent.name"
    assert (sources["locale"].column, sources["locale"].value) == (None, "de-DE")
    assert (sources["at"].column, sources["at"].kind) == ("ts", "epoch_ms")
    assert sources["response_status"].values == {"FAILED": "error"}


def test_what_it_leaves_out_comes_from_the_column_of_the_same_name(tmp_path):
    sources = read_mapping(written(tmp_path, '[columns]\nutterance = "q"'), locale="fr-FR")
    assert sources["user_id"] == Source("user_id")
    assert sources["locale"].value == "fr-FR"
    assert identity()["locale"] == Source("locale")


def test_all_faults_are_named_at_once(tmp_path):
    text = """
    other = 1
    [columns]
    utterence = "q"
    at = {from = "ts", as = "seconds", zone = "Mars/Base"}
    locale = {}
    device = 3
    barge_in = {from = "b", type = "bool"}
    """
    with pytest.raises(RewriterError) as error:
        read_mapping(written(tmp_path, text))
    for fault in ("'other'", "'utterence'", "'seconds'", "Mars/Base", "locale: needs either", "device: expected", "'type'"):
        assert fault in str(error.value), fault
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "message"), [("[columns", "not TOML"), ("", "no section")])
def test_what_is_no_mapping_is_refused(tmp_path, text, message):
    with pytest.raises(RewriterError, match=message):
        read_mapping(written(tmp_path, text))
    with pytest.raises(RewriterError, match="cannot be read"):
        read_mapping(tmp_path / "absent.toml")
