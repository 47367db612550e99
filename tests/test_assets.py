import pytest

from streamer import assets


def test_finds_a_file_of_the_checkout_and_prefers_the_wheels(tmp_path, monkeypatch):
    wheel, checkout = tmp_path / "_assets", tmp_path / "assets"
    checkout.mkdir()
    (checkout / "a.json").write_text("{}")
    monkeypatch.setattr(assets, "_FOLDERS", (wheel, checkout))
    assert assets.asset("a.json") == checkout / "a.json"
    wheel.mkdir()
    (wheel / "a.json").write_text("{}")
    assert assets.asset("a.json") == wheel / "a.json"


def test_names_a_missing_file():
    with pytest.raises(FileNotFoundError, match=r"'nothing\.bin' is missing"):
        assets.asset("nothing.bin")
