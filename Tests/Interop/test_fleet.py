"""cz with many devices: what it tells of each and of all, rollouts, and what becomes of one that is
stopped or killed."""

import collections
import contextlib
import http.server
import json
import signal
import subprocess
import threading

import pytest

import make_image
from fake_runtime import Failure
from fleet import Fleet, Running, Thousand, outcomes, run_cz
from harness import PATIENCE, PROGRAMS, Daemon, free_port, wait_until

DONE, FAILED, PARTLY, USAGE, UNREACHABLE, NOT_ALLOWED = 0, 1, 2, 64, 69, 77
MIB = 1 << 20


# --- A real engine behind several addresses ---


class Addresses:
    """Three addresses of one device, in a file with a fourth where nobody listens."""

    def __init__(self, folder, stack):
        self.port = free_port()
        hosts = [f"127.0.0.{number}" for number in (2, 3, 4)]
        self.daemon = Daemon(
            "containerzd", "--insecure", *(part for host in hosts for part in
                                           ("--listen", f"{host}:{self.port}")),
            "--runtime-socket", stack.runtime_socket)
        self.file = folder / "targets"
        self.file.write_text("# three that are one\n" + "".join(
            f"{host}:{self.port} name=sw{number} role={role}\n" for number, (host, role) in
            enumerate(zip(hosts, ["spine", "leaf", "leaf"]), 1))
            + f"127.0.0.9:{self.port}  name=dead role=none\n")

    def run(self, *command, code=DONE, **options):
        return run_cz("--insecure", "--targets-file", self.file, *command, code=code, **options)

    def start(self, *command):
        return Running("--insecure", "--targets-file", self.file, *command)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory, docker_stack):
    addresses = Addresses(tmp_path_factory.mktemp("addresses"), docker_stack)
    with addresses.daemon:
        yield addresses


ALIVE = "--select", "name=sw*"


def test_data_of_many_on_standard_output(addresses, docker_image):
    done = addresses.run("image", "list", *ALIVE)
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["TARGET", "NAME", "TAG", "ID"]
    repository, tag = docker_image.split(":")
    assert {row.split()[0] for row in rows if row.split()[1:3] == [repository, tag]} == {
        "sw1", "sw2", "sw3"}
    *lines, summary = done.stderr.splitlines()
    assert sorted(lines) == ["sw1: ok", "sw2: ok", "sw3: ok"]
    assert summary == "cz: image list: 3 targets: 3 ok"


def test_json_of_many(addresses, docker_image):
    done = addresses.run("image", "list", "--json", "--select", "role=leaf", "--select", "name=*2")
    *images, end = map(json.loads, done.stdout.splitlines())
    assert {"sw2"} == {image["target"] for image in images}
    assert docker_image.split(":")[0] in {image["name"] for image in images}
    assert end == {"target": "sw2", "outcome": "ok"}


def test_some_that_fail_and_all_that_fail(addresses):
    done = addresses.run("image", "list", code=PARTLY)
    error = f"cannot connect to 127.0.0.9:{addresses.port}: Connection refused"
    *lines, summary = done.stderr.splitlines()
    assert sorted(lines) == [f"dead: failed: {error}", "sw1: ok", "sw2: ok", "sw3: ok"]
    assert summary == "cz: image list: 4 targets: 3 ok, 1 failed"
    done = addresses.run("image", "list", "--json", "--select", "role=none", code=UNREACHABLE)
    assert json.loads(done.stdout) == {
        "target": "dead", "outcome": "failed", "code": UNREACHABLE, "error": error}
    # Several objects on several devices: which failed is in each line.
    done = addresses.run("image", "remove", "missing:1", "gone:2", *ALIVE, code=FAILED)
    assert ("sw1: failed: missing:1: there is no image missing:1 (notFound); "
            "gone:2: there is no image gone:2 (notFound)\n") in done.stderr


def test_an_image_from_standard_input_is_read_once_for_all(addresses, tarball, unique):
    image = f"{unique('image')}:1"
    done = addresses.run("image", "push", "-", image, *ALIVE, input=tarball)
    assert sorted(done.stdout.splitlines()) == [f"sw{number}: {image}" for number in (1, 2, 3)]
    addresses.run("image", "remove", image, "--select", "name=sw1")


def test_a_deploy_to_many_and_their_logs(addresses, tmp_path, tarball, unique):
    image = f"{unique('image')}:1"
    (tmp_path / "web.tar").write_bytes(tarball)
    done = addresses.run("deploy", tmp_path / "web.tar", image, *ALIVE, "--json", "--", "sh", "-c",
                         "echo one; printf two")
    started = [line["instance"] for line in map(json.loads, done.stdout.splitlines())
               if "instance" in line]
    assert len(started) == 3
    name = started[0]
    done = addresses.run("container", "logs", "-f", name, *ALIVE)
    assert sorted(done.stdout.splitlines()) == sorted(
        f"sw{number}: {text}" for number in (1, 2, 3) for text in ("one", "two"))
    addresses.run("container", "remove", *started, "--select", "name=sw1")
    addresses.run("image", "remove", image, "--select", "name=sw1")


def test_logs_that_go_on_do_not_wait_for_each_other(addresses, docker_image, unique):
    name = unique("idle")
    addresses.run("container", "start", docker_image, "--instance", name, "--select", "name=sw1",
                  "--", "/bin/idle")
    with addresses.start("container", "logs", "-f", name, *ALIVE, "--parallel", "1") as running:
        wait_until(lambda: sorted(running.stdout.splitlines()) == [
            f"sw{number}: idle" for number in (1, 2, 3)], "all three")
        running.process.send_signal(signal.SIGINT)
        running.ends(-signal.SIGINT)
    addresses.run("container", "remove", "--force", name, "--select", "name=sw1")


def test_fewer_files_than_devices(addresses, docker_image):
    """With 34 files one device at a time: the work goes on, but for logs that must not wait."""
    def run(*command):
        return subprocess.run(
            ["prlimit", "--nofile=34:34", PROGRAMS / "cz", "--insecure", "--targets-file",
             addresses.file, *ALIVE, *command], capture_output=True, text=True, timeout=PATIENCE)
    done = run("image", "list")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        DONE, "cz: image list: 3 targets: 3 ok")
    done = run("container", "logs", "-f", "some")
    assert (done.returncode, done.stderr) == (
        FAILED, "cz: container logs: 3 devices at once need more open files than this process may "
        "have (ulimit -n): at most 1 can be followed\n")


def test_targets_of_options_and_the_environment(addresses):
    targets = [part for host in (2, 3) for part in ("--target", f"127.0.0.{host}:{addresses.port}")]
    done = run_cz("--insecure", *targets, "volume", "list")
    assert done.stderr.splitlines()[-1] == "cz: volume list: 2 targets: 2 ok"
    done = run_cz("--insecure", "volume", "list", "--select", "name=sw3",
                  environment={"CZ_TARGETS_FILE": str(addresses.file)})
    assert done.stderr == "sw3: ok\ncz: volume list: 1 target: 1 ok\n"
    # One device is what it always was, wherever it is from.
    one = f"127.0.0.2:{addresses.port}"
    done = run_cz("--insecure", "volume", "list", "--target", one,
                  environment={"CZ_TARGETS_FILE": str(addresses.file)})
    assert done.stderr == "" and done.stdout.startswith("NAME")
    # Each option adds one, wherever it stands.
    done = run_cz("--insecure", *targets[:2], "volume", "list", *targets[2:])
    assert done.stderr.splitlines()[-1] == "cz: volume list: 2 targets: 2 ok"


def test_nobody_who_reads(addresses):
    done = subprocess.run(
        f"{PROGRAMS}/cz --insecure --targets-file {addresses.file} --parallel 1 image list --json "
        "--select name=sw* | true", shell=True, capture_output=True, text=True, timeout=30)
    # One device may have been done before the reader was gone.
    assert set(done.stderr.splitlines()) <= {f"sw{number}: ok" for number in (1, 2, 3)} | {
        "cz: image list: 3 targets: 3 ok"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAMS / "cz", "--insecure", "--targets-file", addresses.file, "image", "list",
             "--select", "name=sw*"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert "cz: image list: standard output: No space left on device" in done.stderr
    assert done.returncode in (FAILED, PARTLY)


@pytest.mark.parametrize("text, options, message", [
    ("a\nb c\n", [], "targets:2: 'c' is not KEY=VALUE"),
    ("a\na:9339\n", [], "targets:2: a:9339 is there already (targets:1)"),
    ("a name=x\nb name=x\n", [], "targets:2: the name x is there already (targets:1)"),
    ("a\n", ["--target", "a"], "targets:1: the name a is there already (--target)"),
    ("# nothing\n", [], "--targets-file: targets: no device is in it"),
    ("a role=leaf\n", ["--select", "role=spine"],
     "--select: none of 1 devices matches role=spine"),
    ("a\n", ["--select", "role"], "The value 'role' is invalid"),
    ("a\n", ["--parallel", "0"], "--parallel: 0 is not from 1 to 4096"),
    (None, [], "targets: No such file or directory"),
    ("b\n", ["--target", "a", "--target", "a"], "--target: the name a is there already (--target)"),
])
def test_usage(tmp_path, text, options, message):
    if text is not None:
        (tmp_path / "targets").write_text(text)
    done = run_cz("--targets-file", "targets", "image", "list", *options, code=USAGE, cwd=tmp_path)
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[0]


@pytest.mark.parametrize("command, message", [
    (["deploy", "web.tar", "a:1", "--resume", "state"], "--resume needs --instance"),
    (["deploy", "web.tar", "a:1", "--canary", "0"], "--canary: 0 is less than 1"),
    (["deploy", "web.tar", "a:1", "--batch", "0%"], "--batch: no device a step"),
    (["deploy", "web.tar", "a:1", "--pause", "1s"], "--pause goes with --canary or --batch"),
    (["upgrade", "web", "a:1", "--max-failures", "101%"], "The value '101%' is invalid"),
])
def test_usage_of_rollouts(command, message):
    done = run_cz("--insecure", "--target", "a", *command, code=USAGE)
    assert message in done.stderr.splitlines()[0]


def test_two_sources_of_targets_in_the_environment():
    done = run_cz("image", "list", code=USAGE,
                  environment={"CZ_TARGET": "a", "CZ_TARGETS_FILE": "b"})
    assert "CZ_TARGET and CZ_TARGETS_FILE are both set" in done.stderr


def test_what_is_wrong_with_all_devices_is_said_once(addresses, tmp_path):
    done = addresses.run("deploy", tmp_path / "missing.tar", "a:1", code=FAILED)
    assert done.stderr == f"cz: deploy: {tmp_path}/missing.tar: No such file or directory\n"
    done = run_cz("--targets-file", addresses.file, "--ca", "/nonexistent", "image", "list",
                  code=FAILED)
    assert done.stderr == "cz: image list: /nonexistent: No such file or directory\n"


# --- Rollouts, on devices that do as they are told ---


@pytest.fixture
def fleet(tmp_path):
    with Fleet(tmp_path, 5) as fleet:
        yield fleet


@pytest.fixture
def image(tmp_path, tarball):
    path = tmp_path / "web.tar"
    path.write_bytes(tarball)
    return path


def deploy(image, *options):
    return "deploy", image, "apps/web:1", "--instance", "web", *options


def test_a_canary_that_fails(fleet, image):
    fleet[1].fail("StartContainer", Failure("StartFailed", name="web", reason="exit\ncode 4"))
    done = fleet.run(*deploy(image, "--canary", "2", "--max-failures", "5", "--json"), code=PARTLY)
    assert outcomes(done) == {"d0": "ok", "d1": "failed", "d2": "untouched", "d3": "untouched",
                              "d4": "untouched"}
    (failed,) = [line for line in map(json.loads, done.stdout.splitlines())
                 if line.get("outcome") == "failed"]
    assert "apps/web:1 is on the device now, but" in failed["error"]
    assert "exit code 4" in failed["error"]
    assert [device.calls for device in fleet[2:]] == [[], [], []]
    assert done.stderr.splitlines()[-4:] == [
        "d2: not touched", "d3: not touched", "d4: not touched",
        "cz: deploy: 5 targets: 1 ok, 1 failed, 3 not touched because a canary failed"]


def test_a_canary_that_is_well(fleet, image):
    fleet[0].hold("StartContainer")
    with fleet.start(*deploy(image, "--canary", "1")) as running:
        fleet[0].wait_until_held()
        assert [device.calls for device in fleet[1:]] == [[], [], [], []]
        fleet[0].release()
        running.ends(DONE)
    assert all(device.containers == {"web": "apps/web:1"} for device in fleet)


@pytest.mark.parametrize("allowed", ["1", "39%"])
def test_more_failures_than_may_be(fleet, image, allowed):
    for number in 1, 2:
        fleet[number].fail("LoadImage", Failure("LoadFailed", reason="the disk is bad"))
    done = fleet.run(*deploy(image, "--max-failures", allowed, "--parallel", "1"), code=PARTLY)
    assert done.stderr.splitlines()[-3:] == [
        "d3: not touched", "d4: not touched",
        "cz: deploy: 5 targets: 1 ok, 2 failed, 2 not touched because more than 1 failed"]
    # As many as may be are no reason.
    fleet[2].fail("LoadImage", None)
    done = fleet.run(*deploy(image, "--max-failures", allowed, "--select", "name=d[1-4]"),
                     code=PARTLY)
    assert done.stderr.splitlines()[-1] == "cz: deploy: 4 targets: 3 ok, 1 failed"


def test_batches_one_after_the_other(fleet, image):
    fleet[0].hold("StartContainer")
    with fleet.start(*deploy(image, "--batch", "40%", "--pause", "1s")) as running:
        fleet[0].wait_until_held()
        wait_until(lambda: fleet[1].containers, "the other one of the first step")
        assert [device.calls for device in fleet[2:]] == [[], [], []]
        fleet[0].release()
        running.ends(DONE)
    assert all(device.containers for device in fleet)


def test_a_rollout_that_was_killed_goes_on(fleet, image, tmp_path):
    state = tmp_path / "state"
    command = deploy(image, "--resume", state, "--parallel", "1")
    fleet[2].hold("StartContainer")
    with fleet.start(*command) as running:
        fleet[2].wait_until_held()
        done = fleet.run(*command, code=FAILED)
        assert done.stderr == f"cz: deploy: {state}: another cz is at work with it\n"
        running.process.kill()
        running.ends(-signal.SIGKILL)
    # On the device it comes to its end.
    fleet[2].release()
    wait_until(lambda: fleet[2].containers, "the device that was in flight")
    calls = [len(device.calls) for device in fleet]
    done = fleet.run(*command, "--json")
    assert outcomes(done) == {"d0": "skipped", "d1": "skipped", "d2": "ok", "d3": "ok", "d4": "ok"}
    assert done.stderr.splitlines()[-1] == "cz: deploy: 5 targets: 3 ok, 2 done before"
    assert [len(device.calls) for device in fleet[:2]] == calls[:2]
    done = fleet.run(*command)
    assert done.stderr == "cz: deploy: 5 targets: 0 ok, 5 done before\n"


def test_a_killed_rollout_at_any_line_of_its_state(fleet, image, tmp_path):
    """Whatever the file lacks is done again, and nothing else."""
    state = tmp_path / "state"
    command = deploy(image, "--resume", state, "--parallel", "1")
    fleet.run(*command)
    whole = state.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 16
    for count, torn in (0, 9), (1, 0), (2, 5), (3, 0), (6, 0), (15, 20):
        state.write_bytes(b"".join(lines[:count]) + (b"".join(lines[count:]))[:torn])
        for device in fleet:
            # Those that were about to start it may have: that is no failure of theirs.
            if not any(b'"previous"' in line and f'"target":"{device.name}"'.encode() in line
                       for line in lines[:count]):
                device.containers.clear()
        done = fleet.run(*command)
        before = sum(b'"done"' in line for line in lines[:count])
        parts = [f"{5 - before} ok"] + ([f"{before} done before"] if before else [])
        assert done.stderr.splitlines()[-1] == f"cz: deploy: 5 targets: {', '.join(parts)}"


def test_what_was_there_before_is_not_what_was_deployed(fleet, image, tmp_path):
    """A device that nobody could reach in the first run has done nothing in it."""
    state = tmp_path / "state"
    command = deploy(image, "--resume", state, "--parallel", "1")
    fleet.run(*command)
    header, first, *_ = state.read_bytes().splitlines(keepends=True)
    lost = json.loads(first) | {"state": "lost", "error": "connection refused"}
    state.write_bytes(header + first + json.dumps(lost).encode() + b"\n")
    for device in fleet[1:]:
        device.containers.clear()
    done = fleet.run(*command, code=PARTLY)
    assert done.stderr.splitlines()[-1] == "cz: deploy: 5 targets: 4 ok, 1 failed"
    assert f"{json.loads(first)['target']}: failed: " in done.stderr


def test_the_state_of_another_rollout(fleet, image, tmp_path):
    state = tmp_path / "state"
    fleet.run(*deploy(image, "--resume", state))
    before = state.read_bytes()

    def refusal(*command):
        done = fleet.run(*command, code=FAILED)
        assert state.read_bytes() == before
        return done.stderr.removeprefix(f"cz: {command[0]}: {state}: ").rstrip()
    assert refusal(*deploy(image, "--resume", state, "-e", "PASSWORD=geheim")) == (
        "it is a rollout with other options")
    assert b"geheim" not in before
    (tmp_path / "other.tar").write_bytes(make_image.image_bytes(text="other"))
    assert refusal(*deploy(tmp_path / "other.tar", "--resume", state)).startswith(
        "it is a rollout of the image sha256:")
    assert refusal("upgrade", "web", image, "--resume", state) == "it is a rollout of deploy"
    done = fleet.run(*deploy(image, "--resume", image), code=FAILED)
    assert "it is not the state of a rollout" in done.stderr
    assert make_image.image_bytes() == image.read_bytes()


def test_a_rollout_that_is_stopped(fleet, image, tmp_path):
    command = deploy(image, "--resume", tmp_path / "state", "--parallel", "2")
    fleet[1].hold("StartContainer")
    fleet[2].hold("StartContainer")
    with fleet.start(*command) as running:
        fleet[1].wait_until_held()
        fleet[2].wait_until_held()
        running.process.send_signal(signal.SIGINT)
        running.says("stopping: no further device begins")
        fleet[1].release()
        fleet[2].release()
        text = running.ends(PARTLY)
    assert text.splitlines()[-3:] == [
        "d3: not touched", "d4: not touched",
        "cz: deploy: 5 targets: 3 ok, 2 not touched because it was stopped"]
    assert [device.calls for device in fleet[3:]] == [[], []]
    done = fleet.run(*command)
    assert done.stderr.splitlines()[-1] == "cz: deploy: 5 targets: 2 ok, 3 done before"


def test_a_rollout_that_is_stopped_at_once(fleet, image, tmp_path):
    command = deploy(image, "--resume", tmp_path / "state", "--parallel", "1")
    fleet[0].hold("StartContainer")
    with fleet.start(*command) as running:
        fleet[0].wait_until_held()
        running.process.send_signal(signal.SIGTERM)
        running.says("stopping")
        running.process.send_signal(signal.SIGINT)
        running.ends(-signal.SIGINT)
    fleet[0].release()
    wait_until(lambda: fleet[0].containers, "what had begun on the device")
    done = fleet.run(*command)
    assert done.stderr.splitlines()[-1] == "cz: deploy: 5 targets: 5 ok"


def test_a_signal_that_is_ignored_stops_nothing(fleet, image):
    fleet[0].hold("StartContainer")
    with fleet.start(*deploy(image, "--canary", "1"), ignored="HUP") as running:
        fleet[0].wait_until_held()
        running.process.send_signal(signal.SIGHUP)
        fleet[0].release()
        running.ends(DONE)


def test_a_pause_can_be_stopped(fleet, image):
    with fleet.start(*deploy(image, "--canary", "1", "--pause", "10h")) as running:
        running.says("d0: ok")
        running.process.send_signal(signal.SIGINT)
        running.ends(PARTLY)


def test_a_full_disk_under_the_state(fleet, image, tmp_path):
    """A page: room for what the rollout is, and five records with names as long as these."""
    disk = tmp_path / "disk"
    disk.mkdir()
    targets = tmp_path / "long"
    names = [letter * 690 for letter in "abcde"]
    targets.write_text("".join(
        f"{device.address} name={name}\n" for device, name in zip(fleet, names)))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], check=True)
    try:
        state = disk / "state"
        done = run_cz("--insecure", "--targets-file", targets, *deploy(
            image, "--resume", state, "--parallel", "1"), code=PARTLY)
        assert f"cz: deploy: {state}: No space left on device" in done.stderr
        assert done.stderr.splitlines()[-1] == (
            "cz: deploy: 5 targets: 2 ok, 3 not touched because it was stopped")
        assert [bool(device.calls) for device in fleet] == [True, True, False, False, False]
        lines = list(map(json.loads, state.read_bytes().splitlines()))
        assert [line.get("state") for line in lines] == [
            None, "begun", "begun", "done", "begun", "begun"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_upgrade_that_was_killed_knows_the_way_back(fleet, tmp_path):
    """Killed after the update and before it was found to be unwell: the next run goes back."""
    for device in fleet:
        device.containers["web"] = "apps/web:1"
    asked = threading.Event()
    with health_server(lambda host: asked.set() or 500) as port:
        command = ("upgrade", "web", "apps/web:2", "--health", f"http://{{host}}:{port}/",
                   "--canary", "1", "--resume", tmp_path / "state")
        with fleet.start(*command, "--health-timeout", "1h") as running:
            assert asked.wait(PATIENCE)
            running.process.kill()
            running.ends(-signal.SIGKILL)
        assert fleet[0].containers == {"web": "apps/web:2"}
        done = fleet.run(*command, "--health-timeout", "1s", code=PARTLY)
    assert "going back to apps/web:1; web runs apps/web:1 again" in done.stderr
    assert fleet[0].calls.count("UpdateContainer") == 2
    assert [device.containers for device in fleet] == [{"web": "apps/web:1"}] * 5


def test_a_device_that_was_lost_may_be_done(fleet, image, tmp_path):
    """Its connection breaks after it was asked to start the container."""
    command = deploy(image, "--resume", tmp_path / "state", "--timeout", "1s")
    fleet[1].hold("StartContainer")
    done = fleet.run(*command, code=PARTLY)
    assert "d1: failed:" in done.stderr and "4 ok, 1 failed" in done.stderr
    fleet[1].release()
    wait_until(lambda: fleet[1].containers, "what was asked for")
    done = fleet.run(*command)
    assert done.stderr.splitlines()[-1] == "cz: deploy: 5 targets: 1 ok, 4 done before"


@contextlib.contextmanager
def health_server(status):
    """Answers on all addresses with what `status` says of the address that was asked."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status(self.connection.getsockname()[0]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


# --- A thousand ---


@pytest.fixture(scope="module")
def thousand(tmp_path_factory, certificates):
    with contextlib.ExitStack() as stack:
        yield Thousand(tmp_path_factory.mktemp("thousand"), certificates, stack)


def by_kind(thousand, done):
    """How many devices of each kind came to which end, with which code."""
    assert done.stdout.count('"outcome"') == 1000
    return collections.Counter(
        (thousand.hosts[line["target"]], line["outcome"], line.get("code"))
        for line in map(json.loads, done.stdout.splitlines()) if "outcome" in line)


def test_a_thousand_devices_take_an_image(thousand, tmp_path):
    image = tmp_path / "large.tar"
    with open(image, "wb") as file:
        make_image.make_image(file, mib=16)
    done = run_cz(*thousand.options, *deploy(image, "--json"), code=PARTLY, timeout=400)
    assert by_kind(thousand, done) == {
        ("good", "ok", None): 64, ("slow", "ok", None): 32, ("full", "failed", FAILED): 204,
        ("dead", "failed", UNREACHABLE): 400, ("untrusted", "failed", UNREACHABLE): 100,
        ("refusing", "failed", NOT_ALLOWED): 100, ("readonly", "failed", NOT_ALLOWED): 100}
    assert done.stderr.splitlines()[-1] == "cz: deploy: 1000 targets: 96 ok, 904 failed"
    assert done.peak <= 200 * MIB


def test_a_thousand_devices_are_upgraded(thousand):
    def status(host):
        return 503 if thousand.hosts[host] == "slow" else 200
    with health_server(status) as port:
        done = run_cz(
            *thousand.options, "upgrade", "web", "apps/web:2", "--health",
            f"http://{{host}}:{port}/", "--health-timeout", "1s", "--json", code=PARTLY,
            timeout=400)
    assert by_kind(thousand, done) == {
        ("good", "ok", None): 64, ("slow", "failed", FAILED): 32, ("full", "failed", FAILED): 204,
        ("dead", "failed", UNREACHABLE): 400, ("untrusted", "failed", UNREACHABLE): 100,
        ("refusing", "failed", NOT_ALLOWED): 100, ("readonly", "failed", NOT_ALLOWED): 100}
    errors = {thousand.hosts[line["target"]]: line["error"]
              for line in map(json.loads, done.stdout.splitlines()) if "error" in line}
    assert "exit code 3" in errors["full"]
    assert errors["slow"].endswith("; going back to apps/web:1; web runs apps/web:1 again")
    assert done.peak <= 200 * MIB
