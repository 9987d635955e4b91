"""Log: every byte, in order, as valid text; followed to the end."""

import concurrent.futures
import contextlib
import os
import pty
import subprocess
import threading
import time

import grpc
import pytest

from conftest import engine_socket
from gnoi import Code, Device, status_of
from cz_client import Client
from harness import PROGRAMS, Daemon, wait_until

LARGEST = 64 << 10


def ended(device, name):
    return wait_until(lambda: device.state(name) == "STOPPED", "the container to end", 60)


def test_valid_text_arrives_as_it_was_written(device, image, unique):
    """Characters of up to four bytes, whatever the engine's buffers cut."""
    name = unique()
    # Docker's usual log driver cuts lines at 16 KiB, inside a character if need be, and
    # replaces the parts: these lines are shorter.
    script = "i=0; while [ $i -lt 3000 ]; do printf \"%d é€𝄞 \" $i; i=$((i+1)); "\
             "[ $((i%500)) = 0 ] && echo; done"
    device.start(image, name, cmd=f"sh -c '{script}'")
    ended(device, name)
    expected = "".join(f"{i} é€𝄞 " + "\n" * (i % 500 == 499) for i in range(3000))
    assert device.log_text(name) == expected
    assert "".join(m.msg for m in device.log(name, follow=True)) == expected
    device.remove(name)


def test_bytes_that_are_no_text_are_replaced(device, image, unique):
    name = unique()
    device.start(image, name, cmd=r"""sh -c 'printf "a\377b\303(\342\202 c\n"'""")
    ended(device, name)
    text = device.log_text(name)
    assert text.replace("\N{REPLACEMENT CHARACTER}", "") == "ab( c\n"
    assert "\N{REPLACEMENT CHARACTER}" in text
    device.remove(name)


def test_both_streams_in_order(device, image, unique):
    name = unique()
    script = "for i in 1 2 3 4 5; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done"
    device.start(image, name, cmd=f"sh -c '{script}'")
    ended(device, name)
    assert device.log_text(name) == "".join(f"out {i}\nerr {i}\n" for i in range(1, 6))
    device.remove(name)


def test_a_large_log_comes_in_large_messages_that_end_with_a_line(device, image, unique):
    name, count, size = unique(), 40_000, 100
    device.start(image, name, cmd=f"/bin/chatter {count} {size}")
    ended(device, name)
    messages = [message.msg for message in device.log(name)]
    text = "".join(messages)
    assert [line.split()[0] for line in text.splitlines()] == [
        str(number) for number in range(1, count + 1)]
    assert len(text) >= count * size
    assert max(len(m.encode()) for m in messages) <= LARGEST
    whole = [m for m in messages if len(m) > LARGEST // 2]
    assert len(whole) > len(messages) / 2
    device.remove(name)


def test_following_sees_lines_as_they_are_written(device, image, unique):
    name = unique()
    device.start(image, name, cmd="sh -c 'while :; do date +%s.%N; sleep 0.2; done'")
    call = device.log(name, follow=True)
    for _, message in zip(range(5), call):
        assert message.msg
    call.cancel()
    device.remove(name)


def test_following_goes_on_over_restarts_and_misses_nothing(device, image, unique):
    name = unique()
    device.start(image, name, cmd="sh -c 'echo begin; sleep 0.3; printf end; exit 1'",
                 restart={"policy": "ON_FAILURE", "attempts": 3})
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        texts = [*pool.map(lambda _: "".join(m.msg for m in device.log(name, follow=True)),
                           range(5))]
    assert texts == ["begin\nend" * 4] * 5
    device.remove(name)


def lines_up_to(call, count):
    """What a log's lines begin with, up to the line with that number."""
    text = ""
    while f"\n{count} " not in text[-(1 << 17):] or not text.endswith("\n"):
        text += next(call).msg
    return [line.split()[0] for line in text.splitlines()]


def test_whoever_does_not_read_keeps_nobody_waiting(device, image, unique):
    name, count = unique(), 200_000
    device.start(image, name, cmd=f"sh -c 'sleep 1; /bin/chatter {count} 100; sleep 1000'")
    stalled, early = [device.log(name, follow=True) for _ in range(2)]
    expected = [str(number) for number in range(1, count + 1)]
    assert lines_up_to(early, count) == expected
    late = device.log(name, follow=True)
    assert lines_up_to(late, count) == expected
    assert lines_up_to(stalled, count) == expected
    for call in (stalled, early, late):
        call.cancel()
    device.remove(name)


def test_many_followers_cost_the_engine_one(device, stack, image, unique):
    if stack.engine != "docker":
        pytest.skip("Podman's times are too coarse to find the place where others are")
    name, count = unique(), 20
    device.start(image, name, cmd="sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'")
    device.log_text(name)
    before = len(stack.runtime.descriptors())
    calls = []
    for _ in range(count):
        calls.append(device.log(name, follow=True))
        assert next(calls[-1]).msg.startswith("1\n")
    # A connection and a pipe for each; some connections to the engine are kept for a while.
    wait_until(lambda: len(stack.runtime.descriptors()) <= before + 2 * count + 10,
               "the followers to share the engine's stream")
    for call in calls:
        text = ""
        while "\n30\n" not in f"\n{text}":
            text += next(call).msg
        numbers = [int(number) for number in text.splitlines()]
        assert numbers == [*range(numbers[0], numbers[-1] + 1)]
        call.cancel()
    device.remove(name)


def test_following_ends_when_the_container_is_stopped(device, image, unique):
    name = unique()
    device.start(image, name, restart={"policy": "ALWAYS"})
    texts, done = [], threading.Event()

    def follow():
        for message in device.log(name, follow=True):
            texts.append(message.msg)
        done.set()

    threading.Thread(target=follow, daemon=True).start()
    wait_until(lambda: "serving" in "".join(texts), "the first line")
    device.stop(name)
    assert done.wait(30)
    assert "".join(texts).endswith("stopping\n")
    device.remove(name)


def test_following_ends_when_the_container_is_removed(device, image, unique):
    name = unique()
    device.start(image, name)
    call = device.log(name, follow=True)
    assert "serving" in next(call).msg
    device.remove(name)
    assert "".join(message.msg for message in call) in ("", "stopping\n")


@contextlib.contextmanager
def daemons_of_their_own(stack, folder):
    """A cz-runtime and a containerzd to be stopped, beside the engine of the others; a channel."""
    runtime_socket, address = folder / "runtime.sock", f"unix:{folder}/front.sock"
    with Daemon(
            "cz-runtime", "--socket", runtime_socket, "--engine", stack.engine,
            "--engine-socket", engine_socket(stack.engine),
            "--state-dir", folder / "state") as runtime, Daemon(
            "containerzd", "--insecure", "--listen", address,
            "--runtime-socket", runtime_socket) as front, grpc.insecure_channel(
            address) as channel:
        yield runtime, front, channel


@pytest.mark.parametrize("leaving, reason", [
    ("containerzd", "the server is stopping"),
    ("cz-runtime", "the container engine is not available: cz-runtime is stopping")])
def test_following_keeps_no_daemon_from_stopping(
        device, stack, image, unique, tmp_path, leaving, reason):
    name = unique()
    device.start(image, name, cmd="sh -c 'echo begin; exec sleep 1000'")
    with daemons_of_their_own(stack, tmp_path) as (runtime, front, channel):
        calls = [Device(channel).log(name, follow=True) for _ in range(3)]
        for call in calls:
            assert next(call).msg == "begin\n"
        daemon = front if leaving == "containerzd" else runtime
        daemon.process.terminate()
        for call in calls:
            assert status_of(list, call) == (Code.UNAVAILABLE, reason)
        daemon.process.wait(60)
        assert "when the time was up" not in daemon.text()
    device.remove(name)


def spends_nothing(daemon):
    before = daemon.processor_seconds()
    time.sleep(1)
    return daemon.processor_seconds() == before


def test_whoever_does_not_read_keeps_no_daemon_from_stopping(
        device, stack, image, unique, tmp_path):
    name = unique()
    device.start(image, name, cmd="sh -c '/bin/chatter 200000 100; exec sleep 1000'")
    with daemons_of_their_own(stack, tmp_path) as (_, front, channel):
        call = Device(channel).log(name, follow=True)
        next(call)
        wait_until(lambda: spends_nothing(front), "the log to come to a stand")
        front.process.terminate()
        front.process.wait(60)
        # What had come already is still there to be read.
        assert status_of(list, call)[0] is Code.UNAVAILABLE
        assert "nothing that waits to be sent could be for 5.0 seconds" in front.text()
    device.remove(name)


def test_many_followers_are_cancelled_without_a_trace(device, stack, image, unique):
    name = unique()
    device.start(image, name, cmd="sh -c 'while :; do echo x; sleep 0.1; done'")
    device.log_text(name)
    before = len(stack.front.descriptors()), len(stack.runtime.descriptors())
    calls = [device.log(name, follow=True) for _ in range(20)]
    for call in calls:
        next(call)
    for call in calls:
        call.cancel()

    def idle():
        # A few idle connections are kept for the next calls.
        return (len(stack.front.descriptors()) <= before[0] + 4
                and len(stack.runtime.descriptors()) <= before[1] + 12)
    wait_until(idle, "the descriptors to be closed")
    device.remove(name)


def test_a_reader_that_is_slow_stops_the_sender(device, stack, image, unique):
    name, count = unique(), 200_000
    device.start(image, name, cmd=f"/bin/chatter {count} 100")
    ended(device, name)
    call = device.log(name)
    next(call)
    time.sleep(1)
    before = stack.front.status("VmRSS"), stack.runtime.status("VmRSS")
    time.sleep(1)
    after = stack.front.status("VmRSS"), stack.runtime.status("VmRSS")
    assert after[0] - before[0] < 1 << 20 and after[1] - before[1] < 1 << 20
    assert sum(len(message.msg) for message in call) > count * 100 - (1 << 20)
    device.remove(name)


def test_a_deadline_ends_a_log(device, image, unique):
    name = unique()
    device.start(image, name, cmd="sh -c 'while :; do echo x; sleep 0.1; done'")
    with pytest.raises(grpc.RpcError) as failure:
        for _ in device.log(name, follow=True, timeout=1):
            pass
    assert failure.value.code() is Code.DEADLINE_EXCEEDED
    device.remove(name)


# --- cz on a terminal ---


ATTACK = (r"\033[31mred\033[0m \033]0;title\007\033]52;c;ZXZpbA==\033\\\\"
          r"\033[2J\033[1;1Hmoved \033P+q544e\033\\\\ \033_Gi=1\033\\\\ \302\2332J"
          r"\302\2350;c1\302\234 honest\rforged \342\200\256override\n\033]0;open\nlast\n")
SHOWN = ("\033[31mred\033[0m moved    honest\nforged \N{REPLACEMENT CHARACTER}override\n\nlast\n")


def on_terminal(stack, *command):
    """What cz writes to a terminal."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [PROGRAMS / "cz", *Client(stack).arguments(), *command], stdin=subprocess.DEVNULL,
        stdout=secondary, stderr=subprocess.PIPE)
    os.close(secondary)
    output = b""
    with contextlib.suppress(OSError):
        while piece := os.read(primary, 65536):
            output += piece
    _, errors = process.communicate(timeout=30)
    os.close(primary)
    assert process.returncode == 0, errors
    # The terminal's own doing.
    return output.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_no_other_commands(stack, device, image, unique):
    name = unique()
    device.start(image, name, cmd=f"""sh -c 'printf "{ATTACK}"'""")
    ended(device, name)
    written = device.log_text(name)
    for follow in [], ["--follow"]:
        assert on_terminal(stack, "container", "logs", *follow, name) == SHOWN
    assert on_terminal(stack, "container", "logs", "--raw", name) == written
    # What is no terminal gets every byte.
    assert Client(stack).run("container", "logs", name) == written
    as_json = on_terminal(stack, "container", "logs", "--json", name)
    assert "\x1b" not in as_json and "\x9b" not in as_json and "\u202e" not in as_json
    assert "\\u009b" in as_json
    device.remove(name)
