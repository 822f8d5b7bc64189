"""What is missing is said at once; what another process prepared is taken."""

import socket
import urllib.request

import pytest
from tensorflow_datasets.core.download import checksums, resource
from tensorflow_datasets.object_detection import voc as stock

from tests.data.conftest import accept_tars
from tests.data.tiny import FILES, pack, write_devkit
from yolojax import data
from yolojax.data import devkit, listing, preparation, voc


@pytest.fixture
def listening():
    """The port of a socket that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setattr(urllib.request, "getproxies", dict)


def test_reachable_or_not(listening, closed):
    assert preparation.is_reachable(f"http://127.0.0.1:{listening}/x")
    assert not preparation.is_reachable(f"http://127.0.0.1:{closed}/x")
    assert not preparation.is_reachable("https://no-such-host.invalid/x")


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
def test_a_proxy_is_asked_in_place_of_the_host(monkeypatch, listening, closed, form):
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": form.format(listening)})
    assert preparation.is_reachable("https://no-such-host.invalid/x")
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": form.format(closed)})
    assert not preparation.is_reachable("https://no-such-host.invalid/x")


def test_without_network_it_says_what_to_fetch(monkeypatch, tmp_path, closed):
    monkeypatch.setattr(stock, "_VOC_DATA_URL", f"https://127.0.0.1:{closed}/")
    with pytest.raises(ValueError, match="is not prepared in") as caught:
        data.open_dataset("voc0712", "trainval", data_dir=str(tmp_path))
    assert str(caught.value) == (
        f"VOC2007 is not prepared in {tmp_path}, and 127.0.0.1 cannot be reached; put the official "
        f"VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar into {tmp_path}/downloads/manual"
    )


def test_only_what_is_missing_is_asked_for(monkeypatch, tmp_path, closed):
    monkeypatch.setattr(stock, "_VOC_DATA_URL", f"https://127.0.0.1:{closed}/")
    manual = tmp_path / "downloads" / "manual"
    pack(write_devkit(tmp_path / "d", FILES, train="000005"), manual / "VOCtest_06-Nov-2007.tar")
    with pytest.raises(ValueError, match=r"put the official VOCtrainval_06-Nov-2007.tar into .*manual$"):
        data.open_dataset("voc2007", "train", data_dir=str(tmp_path))


def test_what_tfds_downloaded_before_is_there(monkeypatch, tmp_path, closed):
    monkeypatch.setattr(stock, "_VOC_DATA_URL", f"https://127.0.0.1:{closed}/")
    (tmp_path / "downloads" / "voc").mkdir(parents=True)
    infos = {}
    for name in ("VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"):
        url = stock._VOC_DATA_URL + name
        infos[url] = checksums.UrlInfo(9, "ab" * 32, name)
        (tmp_path / "downloads" / "voc" / resource.get_dl_fname(url, "ab" * 32)).touch()
    monkeypatch.setattr(voc.VocBuilder, "url_infos", infos)
    voc.check_downloads(voc.VocBuilder(config="2007", data_dir=tmp_path))  # raises nothing
    with pytest.raises(ValueError, match=r"put the official VOCtrainval_11-May-2012.tar into"):
        voc.check_downloads(voc.VocBuilder(config="2012", data_dir=tmp_path))


def test_a_damaged_tar_is_named(monkeypatch, tmp_path):
    manual = tmp_path / "tfds" / "downloads" / "manual"
    folder = write_devkit(tmp_path / "d", FILES, train="000005")
    for name in ("VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"):
        pack(folder, manual / name)
    accept_tars(monkeypatch, manual)
    with open(manual / "VOCtest_06-Nov-2007.tar", "ab") as file:
        file.write(b"x")
    with pytest.raises(
        ValueError, match=r"VOCtest_06-Nov-2007.tar, has wrong checksum: .*; fetch the official"
    ) as caught:
        data.open_dataset("voc2007", "train", data_dir=str(tmp_path / "tfds"))
    assert "\n" not in str(caught.value)


def test_another_process_may_be_first(monkeypatch, tmp_path):
    """While one prepares, another finishes the same: the first takes what is there."""
    folder = write_devkit(tmp_path / "d", FILES, train="000005 000007")
    first, second = (devkit.builders(str(folder), "train", None, str(tmp_path / "tfds"))[0] for _ in range(2))
    decode = listing.decode_image

    def decode_late(image: bytes):
        monkeypatch.setattr(listing, "decode_image", decode)
        preparation.prepare(second)
        return decode(image)

    monkeypatch.setattr(listing, "decode_image", decode_late)
    assert preparation.prepare(first) is first
    assert len(first.as_data_source(split="train")) == 2
    assert preparation.is_prepared(second)
    (version,) = (tmp_path / "tfds" / "yolojax_devkit" / first.builder_config.name).iterdir()
    assert version.name == "1.1.0"  # and nothing half-made


def test_a_disk_error_is_not_hidden(monkeypatch, tmp_path):
    folder = write_devkit(tmp_path / "d", FILES, train="000005")
    (builder,) = devkit.builders(str(folder), "train", None, str(tmp_path / "tfds"))

    def full(image: bytes):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(builder, "download_and_prepare", lambda **_: full(b""))
    with pytest.raises(OSError, match="No space left"):
        preparation.prepare(builder)
