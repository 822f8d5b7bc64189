import pytest

from yolojax.darknet.sections import MAX_BYTES, CfgError, parse_sections


def test_options_comments_spaces_and_line_ends() -> None:
    text = "\ufeff# head\r\n[ net ]\r\n  batch = 1 \r\n;x\r\n\r\nsteps = 1, 2\t,3 # why\r\n[a]\r\n[a]\r\nempty="
    net, first, second = parse_sections(text, "a.cfg")
    assert (net.name, net.line) == ("net", 2)
    assert net.options == {"batch": ("1", 3), "steps": ("1,2,3", 6)}
    assert (first.line, first.options) == (7, {})
    assert second.options == {"empty": ("", 9)}


def test_repeated_option_with_the_same_value_counts_once() -> None:
    (net,) = parse_sections("[net]\nbatch=1\nbatch = 1\n", "a.cfg")
    assert net.options == {"batch": ("1", 2)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[net]\n[net\n", "a.cfg:2: '[net', expected [section]"),
        ("[net]\nbatch\n", "a.cfg:2: 'batch', expected [section] or option=value"),
        ("[net]\n=1\n", "a.cfg:2: '=1', expected [section] or option=value"),
        ("[net]\nba\x00tch=1\n", "a.cfg:2: 'ba\\x00tch=1', expected [section] or option=value"),
        ("\nbatch=1\n[net]\n", "a.cfg:2: option batch before any section, expected [net]"),
        ("[net]\nbatch=1\n\nbatch=2\n", "a.cfg:4: batch=2, but it was 1 on line 2"),
        ("x" * 100, f"a.cfg:1: {'x' * 37 + '...'!r}, expected [section] or option=value"),
        ("#" * (MAX_BYTES + 1), "a.cfg:1: 1048577 characters, expected a .cfg of at most 1048576"),
    ],
)
def test_text_errors(text: str, message: str) -> None:
    with pytest.raises(CfgError) as error:
        parse_sections(text, "a.cfg")
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", "1.0", "1_0", "x", "1e3", "2147483648", "99999999999", "1" * 5000, "٣", "--1"])
def test_integers_are_strict(text: str) -> None:
    (net,) = parse_sections(f"[net]\na={text}\n", "a.cfg")
    with pytest.raises(CfgError, match=r"^a\.cfg:2: a=.{0,40}, expected an integer of at most 2147483647$"):
        net.take_integer("a")


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e999", "1_0", "1,5", "0x1", "."])
def test_numbers_are_finite(text: str) -> None:
    (net,) = parse_sections(f"[net]\na={text}\n", "a.cfg")
    with pytest.raises(CfgError, match=r"^a\.cfg:2: a=.{0,40}, expected a finite number$"):
        net.take_number("a", 1.0)


def test_values() -> None:
    (net,) = parse_sections("[net]\ni=-7\nj=+3\nn=.5\nm=1e-3\nis=1,-2\nns=1,2.5\nf=1\nc=leaky\nkept=x\n", "a.cfg")
    assert (net.take_integer("i"), net.take_integer("j"), net.take_integer("none", 4)) == (-7, 3, 4)
    assert (net.take_number("n", 0.0), net.take_number("m", 0.0), net.take_number("none", 0.25)) == (0.5, 0.001, 0.25)
    assert (net.take_integers("is"), net.take_numbers("ns")) == ((1, -2), (1.0, 2.5))
    assert (net.take_flag("f"), net.take_flag("none")) == (True, False)
    assert net.take_choice("c", ("linear", "leaky"), "linear") == "leaky"
    assert list(net.options) == ["kept"]


def test_missing_option_names_the_section() -> None:
    (net,) = parse_sections("\n[net]\n", "a.cfg")
    with pytest.raises(CfgError, match=r"^a\.cfg:2: \[net\] has no width, expected width=\.\.\.$"):
        net.take_integer("width")
