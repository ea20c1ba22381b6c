"""A bundle with models and indexes behind the real server: each layer answers, and nobody sees another user's words."""

from jobs import control
from rewriter.bundle import verify
from rewriter.bundle.layout import current


def ask(client, utterance, **more):
    answer = client.post("/v1/rewrite", json={"utterance": utterance, "explain": True} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_layer_answers_through_the_api(full, live):
    with live(full) as client:
        answers = {
            "precomputed": ask(client, "play beet it"),
            "personal": ask(client, "play my kitchen albums", user_id="ann"),
            "global": ask(client, "play jaz music"),
            "alternative": ask(
                client,
                "tell the whether",
                nbest=[{"text": "tell the whether", "score": 0.6}, {"text": "tell the weather", "score": 0.4}],
            ),
        }
    assert {layer: (a["source"], a["rewrite"]) for layer, a in answers.items()} == {
        "precomputed": ("precomputed", "play beat it"),
        "personal": ("personal", "play my kitchen album"),
        "global": ("global", "play jazz music"),
        "alternative": ("alternative", "tell the weather"),
    }
    assert answers["global"]["probability"] > 0.5
    assert {"history", "retrieve", "rank", "decide", "total"} <= answers["global"]["timings_ms"].keys()
    assert answers["global"]["candidates"][0]["features"]["characters"] > 0.9


def test_a_users_words_appear_in_no_other_answer(full, live):
    with live(full) as client:
        assert ask(client, "play my kitchen", user_id="bob")["candidates"]
        for user in ("bob", "carol", None):
            text = client.post(
                "/v1/rewrite", json={"utterance": "play my kitchen albums", "user_id": user, "explain": True}
            ).text
            assert "kitchen album" not in text.replace("kitchen albums", "")


def test_a_rewrite_of_an_index_is_blocked_like_a_mined_one(full, live):
    control.block(["play jaz music", "play jazz music", "--bundles", str(full)])
    with live(full) as client:
        answer = ask(client, "play jaz music")
    assert answer["rewrite"] is None
    assert {c["rewrite"]: c["refused"] for c in answer["candidates"]}["play jazz music"].startswith("blocked")


def test_a_damaged_page_of_a_large_store_costs_its_user_alone_the_rewrite(full, live, monkeypatch):
    monkeypatch.setattr(verify, "LARGE_STORE_BYTES", 0)
    store = current(full) / "personal" / "data.mdb"
    data = store.read_bytes()
    assert data.count(b"play my kitchen album") == 1
    store.write_bytes(data.replace(b"play my kitchen album", b"play my kitchen alxum"))
    with live(full) as client:
        answer = ask(client, "play my kitchen albums", user_id="ann")
        assert answer["rewrite"] is None
        assert answer["reason"].startswith("personal history cannot be read; ")
        assert str(full) not in answer["reason"]
        assert ask(client, "play my kitchen songs", user_id="bob")["rewrite"] == "play my kitchen song"
        assert ask(client, "play jaz music")["rewrite"] == "play jazz music"


def test_one_request_on_the_command_line_says_what_was_considered(full, capsys):
    control.rewrite(["play my kitchen albums", "--bundles", str(full), "--user", "ann"])
    said = capsys.readouterr().out
    assert said.startswith("'play my kitchen album' (probability 0.")
    assert "source: personal" in said
    assert "candidates:\n" in said
