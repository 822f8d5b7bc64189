import os
import signal

import pytest

from yolojax.training.interrupt import StopRequest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_request_is_told_once_and_handlers_come_back(number, code, ctrl_c):
    before = signal.getsignal(number)
    stop = StopRequest()
    stop.__enter__()
    assert not stop.requested()
    os.kill(os.getpid(), number)
    assert stop.requested()
    assert stop.exit_code == code
    assert signal.getsignal(number) == before
    stop.__exit__(SystemExit, SystemExit(code), None)  # as the loop leaves
    assert signal.getsignal(number) == before


def test_a_request_after_the_last_question_ends_the_process_too():
    with pytest.raises(SystemExit) as leaving, StopRequest():
        os.kill(os.getpid(), signal.SIGTERM)
    assert leaving.value.code == 143


def test_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.requested()
    finally:
        signal.signal(signal.SIGINT, before)
