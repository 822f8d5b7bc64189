"""Four CPU devices, strict dtype and rank promotion, checked types, a compilation cache, the optional shared data."""

import os
import pathlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jaxtyping
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before yolojax is imported. The types of arguments and results hold, shapes included; an int will do for a float.
CHECKED = [f"yolojax.{name}" for name in ("network", "darknet", "detection", "data", "pruning", "inspection")]
# All but `format`, in which a dataclass's field passes for its default.
EXPORT = pathlib.Path(__file__).parents[1] / "yolojax" / "export"
CHECKED += [f"yolojax.export.{path.stem}" for path in EXPORT.glob("[a-z]*.py") if path.stem != "format"]
jaxtyping.install_import_hook(CHECKED, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(__file__).parents[1] / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)

SHARED = pathlib.Path(os.environ.get("YOLOJAX_SHARED_DATA", pathlib.Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real images and reference outputs; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no reference data at {SHARED} (set YOLOJAX_SHARED_DATA)")
    return SHARED


@pytest.fixture
def browser() -> Iterator["Browser"]:
    """Headless Chromium; the test skips where none is installed. For each test: playwright leaves its event loop
    running in between, and asyncio then refuses another one.
    """
    from playwright.sync_api import sync_playwright

    from tests.browser import CHROMIUM

    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(autouse=True, scope="module")
def few_executables() -> Iterator[None]:
    """Compiled functions of one module go before the next: a process may map 65,530 regions, and XLA then crashes."""
    yield
    jax.clear_caches()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Lets SIGINT through to the test and to the processes that it starts.

    SIGINT comes ignored where the tests are a shell's background job, and processes inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """As outside the tests, where nothing checks types: for a test of what a call with a wrong one does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones last."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
