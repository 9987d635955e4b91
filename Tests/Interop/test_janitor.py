"""cz-janitor on Docker and on Podman: what goes, what stays, and that nothing needed ever goes."""

import fcntl
import itertools
import json
import os
import subprocess
import threading
import time

import grpc
import pytest

import make_image
from conftest import ENGINES, engine_socket, need
from engine_api import Engine, request
from gnoi import Code, Device, code_of, status_of
from harness import PROGRAMS, Daemon, runtime_call, wait_until

DAY = 86400
# Whatever else fills the machine's disk is none of our business.
CALM = "--high-water", "100"
AT_ONCE = "--stopped-after", "0s", "--unused-after", "0s", "--minimum-age", "0s"


class Cleaned:
    """Both daemons on an engine, and a janitor to be run beside them."""

    def __init__(self, engine, folder):
        self.name, self.folder = engine, folder
        self.engine = Engine(engine_socket(engine))
        self.socket = folder / "runtime.sock"
        self.policy = folder / "policy.json"
        self.plugins = folder / "plugins"
        self.lock = folder / "lock"
        self.numbers = itertools.count(1)

    def start_runtime(self):
        self.runtime = Daemon(
            "cz-runtime", "--socket", self.socket, "--engine", self.name, "--engine-socket",
            self.engine.socket, "--state-dir", self.folder / "state", "--settle-time", "0.3",
            "--policy", self.policy)

    def __enter__(self):
        self.policy.write_text('{"foreign": true, "plugins": {"allow": true}}')
        self.start_runtime()
        front = f"unix:{self.folder}/front.sock"
        self.front = Daemon("containerzd", "--insecure", "--listen", front, "--runtime-socket",
                            self.socket, "--plugin-dir", self.plugins)
        self.channel = grpc.insecure_channel(front)
        self.device = Device(self.channel)
        return self

    def __exit__(self, *error):
        if error[0]:
            print(f"--- cz-runtime wrote ---\n{self.runtime.text()}")
        self.channel.close()
        self.front.stop()
        self.runtime.stop()

    # --- The janitor ---

    def command(self, *arguments):
        return [str(word) for word in [
            PROGRAMS / "cz-janitor", "--runtime-socket", self.socket, "--lock", self.lock,
            *arguments]]

    def run(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=300)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def clean(self, *arguments, code=0, pressure=CALM):
        """The outcomes by kind and name, and the summary."""
        lines = [json.loads(line) for line in
                 self.run("--json", *pressure, *arguments, code=code).stdout.splitlines()]
        return ({(line["kind"], line["name"]): line for line in lines[:-1]},
                lines[-1]["summary"])

    def both(self, *arguments, code=0, pressure=CALM):
        """What a dry run says would go, and what goes then: the same."""
        planned, _ = self.clean("--dry-run", *arguments, code=code, pressure=pressure)
        assert all(entry["outcome"] == "planned" for entry in planned.values())
        before = self.device.images(), sorted(self.device.containers())
        done, _ = self.clean(*arguments, code=code, pressure=pressure)
        same = [{key: entry["reason"] for key, entry in entries.items()}
                for entries in (planned, done)]
        assert same[0] == same[1]
        assert all(entry["outcome"] == "removed" for entry in done.values()), done
        after = self.device.images(), sorted(self.device.containers())
        gone = {("container", name) for name in set(before[1]) - set(after[1])}
        gone |= {("image", name) for name in set(before[0]) - set(after[0])}
        assert gone == {key for key in done if key[0] != "volume" and "<none>" not in key[1]
                        and "/" not in key[1]}
        return {key: entry["reason"] for key, entry in done.items()}

    # --- What there is to clean ---

    def push(self, name, tag="1", **settings):
        """An image of its own, with a layer that all have; NAME:TAG."""
        self.device.push(make_image.image_bytes(
            Labels={"number": f"{self.folder} {next(self.numbers)}"}, **settings), name, tag)
        return f"{name}:{tag}"

    def call(self, method, file=None, **parameters):
        done = runtime_call(self.socket, method, json.dumps(parameters),
                            *(["--fd", file] if file else []))
        return done.returncode, done.stdout or done.stderr

    def survey(self, kind):
        code, text = self.call("SurveyUse")
        assert code == 0, text
        return json.loads(text)[kind]

    def image_use(self, name):
        repository, _, tag = name.rpartition(":")
        (found,) = [image for image in self.survey("images")
                    if {"repository": repository, "tag": tag} in image["names"]]
        return found

    def age(self, **days):
        """Makes images older, as though days had passed, by their ids."""
        self.runtime.stop()
        path = self.folder / "state/use.json"
        document = json.loads(path.read_text())
        for image, count in days.items():
            document["images"][image]["lastUsed"] = int(time.time() - count * DAY)
        path.write_text(json.dumps(document))
        self.start_runtime()

    def make_old(self, *names, days=8):
        """The first is the oldest."""
        self.age(**{self.image_use(name)["id"]: days + index / 10
                    for index, name in enumerate(reversed(names))})


@pytest.fixture(scope="module", params=ENGINES)
def shared(request, tmp_path_factory):
    need(request.param)
    with Cleaned(request.param, tmp_path_factory.mktemp("janitor")) as it:
        yield it


@pytest.fixture
def cleaned(shared):
    yield shared
    for name in shared.device.containers():
        code_of(shared.device.remove, name)
    for image in shared.survey("images"):
        if image["managed"]:
            for name in image["names"]:
                code_of(shared.device.remove_image, f"{name['repository']}:{name['tag']}", True)
    shared.clean(*AT_ONCE, "--keep", "0", "--unused-images", "--volumes")


def run_to_end(cleaned, image, name, cmd="true", **fields):
    cleaned.device.start(image, name, cmd=cmd, **fields)
    wait_until(lambda: cleaned.device.state(name) == "STOPPED", f"{name} to end")
    return name


# --- Containers ---

def test_containers_that_stopped_go_and_others_stay(cleaned, unique):
    image = cleaned.push(unique("image"))
    done = run_to_end(cleaned, image, unique("done"))
    kept = run_to_end(cleaned, image, unique("kept"), labels={"org.containerz.keep": "true"})
    always, running = unique("always"), unique("running")
    cleaned.device.start(image, always, cmd="/bin/idle", restart={"policy": "ALWAYS"})
    cleaned.device.stop(always, force=True)
    cleaned.device.start(image, running, cmd="/bin/idle")
    assert cleaned.both() == {}
    reasons = {name: entry["reason"] for (_, name), entry
               in cleaned.clean("--dry-run", "--verbose")[0].items()}
    assert (reasons[done], reasons[kept], reasons[always], reasons[running]) == (
        "stopped-recently", "labelled", "restarts", "running")
    assert cleaned.both("--stopped-after", "0s") == {("container", done): "stopped"}
    assert {kept, always, running} <= set(cleaned.device.containers())


def test_a_container_that_was_never_started_goes(cleaned, unique):
    image, name = cleaned.push(unique("image")), unique("created")
    engine = cleaned.engine
    # Made behind our back, with the mark of what we start: as a start leaves it that was cut off.
    request(engine.socket, "POST", f"/containers/create?name={name}", {
        "Image": engine.image_id(image), "Labels": {"org.containerz.spec": "{}"}})
    assert cleaned.both() == {}
    assert cleaned.both("--stopped-after", "0s") == {("container", name): "never-started"}


# --- Images ---

def test_unused_images_go_but_the_last_versions_stay(cleaned, unique):
    name = unique("image")
    versions = [cleaned.push(name, f"{tag}") for tag in range(1, 5)]
    assert cleaned.both() == {}
    cleaned.make_old(*versions)
    used, instance = versions[0], unique("instance")
    cleaned.device.start(used, instance, cmd="/bin/idle")
    # In use the oldest is a version to go back from, and the newest one to go back to.
    assert cleaned.both() == {("image", v): "unused" for v in versions[1:3]}
    cleaned.device.remove(instance)
    assert cleaned.both() == {}
    cleaned.make_old(versions[0], versions[3])
    assert cleaned.both("--keep", "0") == {("image", versions[0]): "unused"}
    assert cleaned.both("--keep", "0", "--unused-images") == {("image", versions[3]): "unused"}


def test_what_can_be_fetched_again_goes_although_it_is_the_last(cleaned, unique, tmp_path):
    name = unique("image")
    (tmp_path / "x.tar").write_bytes(make_image.image_bytes(
        [f"{name}:1"], Labels={"number": name}))
    code, text = cleaned.call("LoadImage", tmp_path / "x.tar", archive=0, fetched=True)
    assert code == 0, text
    assert cleaned.image_use(f"{name}:1")["fetched"]
    cleaned.make_old(f"{name}:1")
    assert cleaned.both() == {}
    assert cleaned.both("--keep", "0") == {("image", f"{name}:1"): "unused"}


def test_images_without_a_name_go(cleaned, unique):
    name, instance = unique("image"), unique("instance")
    cleaned.push(name)
    cleaned.device.start(f"{name}:1", instance, cmd="/bin/idle")
    cleaned.push(name)
    assert cleaned.both("--minimum-age", "0s") == {}, "a container is made of the old one"
    cleaned.device.remove(instance)
    assert cleaned.both() == {}, "its use has just ended"
    assert cleaned.both("--minimum-age", "0s") == {("image", "<none>"): "untagged"}
    assert f"{name}:1" in cleaned.device.images()


def test_an_image_with_several_names_goes_as_a_whole(cleaned, unique):
    data, names = make_image.image_bytes(Labels={"number": unique()}), [unique("a"), unique("b")]
    for name in names:
        cleaned.device.push(data, name, "1")
    first, second = (f"{name}:1" for name in names)
    assert cleaned.clean(*AT_ONCE, "--keep", "0")[0] == {}
    entries, _ = cleaned.clean(*AT_ONCE, "--keep", "0", "--unused-images")
    assert list(entries) == [("image", f"{first}, {second}")]
    assert not {first, second} & set(cleaned.device.images())


def test_last_use_survives_a_restart_and_a_damaged_record_keeps_everything(cleaned, unique):
    image = cleaned.push(unique("image"))
    cleaned.make_old(image)
    before = cleaned.image_use(image)
    cleaned.runtime.kill()
    cleaned.start_runtime()
    assert cleaned.image_use(image) == before
    cleaned.runtime.stop()
    record = cleaned.folder / "state/use.json"
    assert record.stat().st_mode & 0o777 == 0o600
    whole = record.read_bytes()
    record.write_bytes(whole[:len(whole) // 2])
    cleaned.start_runtime()
    assert not cleaned.image_use(image)["managed"]
    assert cleaned.clean(*AT_ONCE, "--keep", "0", "--unused-images")[0] == {}
    cleaned.runtime.stop()
    record.write_bytes(whole)
    cleaned.start_runtime()


def test_under_pressure_images_go_before_their_time(cleaned, unique):
    name = unique("image")
    versions = [cleaned.push(name, f"{tag}") for tag in range(1, 4)]
    cleaned.make_old(*versions, days=1)
    # No disk is so empty; what may go goes, and then it is still too full.
    pressure = "--high-water", "0", "--low-water", "0"
    assert cleaned.both(pressure=CALM) == {}
    entries, summary = cleaned.clean("--dry-run", pressure=pressure, code=1)
    assert {key: entry["reason"] for key, entry in entries.items()} == {
        ("image", versions[0]): "pressure"}
    assert summary["reachedLowWater"] is False
    done = cleaned.run(*pressure, code=1)
    assert "stays above its low-water mark" in done.stdout
    assert versions[0] not in cleaned.device.images()
    assert set(versions[1:]) <= set(cleaned.device.images())


# --- Volumes ---

def test_volumes_go_only_where_that_is_wanted(cleaned, unique):
    image = cleaned.push(unique("image"), Volumes={"/data": {}})
    name, own = unique("instance"), unique("volume")
    cleaned.device.create_volume(own)
    made_up = cleaned.device.create_volume()
    before = set(cleaned.device.volumes())
    run_to_end(cleaned, image, name)
    (anonymous,) = set(cleaned.device.volumes()) - before
    # Seen with its container, it is known to be ours.
    assert cleaned.both("--stopped-after", "0s") == {("container", name): "stopped"}
    assert cleaned.clean("--minimum-age", "0s")[0] == {}
    assert cleaned.both("--minimum-age", "0s", "--volumes") == {("volume", anonymous): "anonymous"}
    assert set(cleaned.device.volumes()) >= {own, made_up}
    for volume in own, made_up:
        cleaned.device.remove_volume(volume)


# --- What is not ours ---

def test_what_is_foreign_stays_without_all(cleaned, unique, tmp_path):
    image, name, foreign = unique("image"), unique("instance"), unique("foreign")
    ours = cleaned.push(image)
    cleaned.engine.run(ours, name)
    request(cleaned.engine.socket, "POST", f"/containers/{name}/kill")
    load_behind_our_back(cleaned, foreign, tmp_path)
    rules = *AT_ONCE, "--keep", "0", "--unused-images", "--volumes"
    assert cleaned.both(*rules) == {}
    cleaned.policy.write_text("{}")
    wait_until(lambda: cleaned.runtime.text().count("was read again"), "the policy to be read")
    try:
        mine = {("container", name), ("image", f"{foreign}:1")}
        entries, summary = cleaned.clean(*rules, "--all", code=1)
        refused = {key for key, entry in entries.items() if entry["outcome"] == "failed"}
        assert mine <= refused and summary["failed"] == len(refused)
        assert "policy" in entries["image", f"{foreign}:1"]["message"]
    finally:
        cleaned.policy.write_text('{"foreign": true, "plugins": {"allow": true}}')
        wait_until(lambda: cleaned.runtime.text().count("was read again") > 1, "the policy again")
    assert mine <= set(cleaned.clean(*rules, "--all")[0])
    # Its image's turn has come now, since no container uses it any more.
    assert ("image", ours) in cleaned.clean(*rules)[0]


def load_behind_our_back(cleaned, name, tmp_path):
    """With the engine's own client."""
    (tmp_path / "x.tar").write_bytes(make_image.image_bytes(
        [f"{name}:1"], Labels={"number": name}))
    subprocess.run(
        ["curl", "--silent", "--fail", "--output", "/dev/null", "--unix-socket",
         cleaned.engine.socket, "-H", "Content-Type: application/x-tar", "--data-binary",
         f"@{tmp_path}/x.tar", "http://e/v1.41/images/load"], check=True)


# --- How it says what it does ---

def test_a_table_a_summary_and_metrics(cleaned, unique, tmp_path):
    image = cleaned.push(unique("image"))
    name = run_to_end(cleaned, image, unique("instance"))
    metrics = tmp_path / "janitor.prom"
    done = cleaned.run(*CALM, "--stopped-after", "0s", "--metrics-file", metrics,
                       "--log-format", "json")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "SIZE", "OUTCOME", "WHY"]
    assert lines[1].split()[:4] == ["container", name, "-", "removed"]
    assert lines[2] == "removed 1 container (0 B)"
    (record,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (record["message"], record["containers"], record["failed"]) == ("cleaned up", 1, 0)
    text = metrics.read_text()
    assert 'containerz_janitor_removed{kind="container"} 1\n' in text
    assert "containerz_janitor_last_run_success 1\n" in text
    assert cleaned.run(*CALM).stdout == "nothing removed\n"
    assert cleaned.run(*CALM, "--dry-run").stdout == "nothing to remove\n"


def test_the_survey_cannot_be_acted_upon_once_things_have_changed(cleaned, unique):
    """As whoever cleans up on old knowledge."""
    name, instance = unique("image"), unique("instance")
    image = cleaned.push(name)
    known = {key: cleaned.image_use(image)[key] for key in ("id", "names", "lastUsed")}
    cleaned.device.start(image, instance, cmd="/bin/idle")
    code, text = cleaned.call("RemoveUnusedImage", **known)
    assert code == 1 and "StillNeeded" in text and instance in text
    (container,) = [c for c in cleaned.survey("containers") if c["name"] == instance]
    code, text = cleaned.call("RemoveUnusedContainer", id=container["id"])
    assert code == 1 and "StillNeeded" in text
    cleaned.device.remove(instance)
    code, text = cleaned.call("RemoveUnusedImage", **(known | {"lastUsed": known["lastUsed"] - 5}))
    assert code == 1 and "used meanwhile" in text
    code, text = cleaned.call("RemoveUnusedImage", **(known | {"names": []}))
    assert code == 1 and "other names" in text
    assert image in cleaned.device.images()
    current = {key: cleaned.image_use(image)[key] for key in known}
    assert cleaned.call("RemoveUnusedImage", **current) == (0, '{"removed":true}\n')
    assert cleaned.call("RemoveUnusedImage", **current) == (0, '{"removed":false}\n')
    assert cleaned.call("RemoveUnusedContainer", id=container["id"]) == (
        0, '{"removed":false}\n')


# --- Exit codes, the lock, the schedule ---

def test_without_a_runtime_or_an_engine(tmp_path):
    lock = "--lock", str(tmp_path / "lock")
    done = subprocess.run(
        [PROGRAMS / "cz-janitor", "--runtime-socket", tmp_path / "none", *lock],
        capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.count("\n") == 1 and "cannot reach" in done.stderr
    socket = tmp_path / "runtime.sock"
    with Daemon("cz-runtime", "--socket", socket, "--engine-socket", tmp_path / "engine",
                "--state-dir", tmp_path / "state"):
        done = subprocess.run([PROGRAMS / "cz-janitor", "--runtime-socket", socket, *lock],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 69 and "engine is not available" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--schedule", "* * *"], ["--schedule", "0 0 31 2 *"], ["--keep", "-1"], ["--keep=-1"],
    ["--high-water", "101"], ["--high-water", "50", "--low-water", "60"], ["--jitter", "1m"],
    ["--stopped-after", "5"], ["--cache-limit", "1G"], ["nonsense"]])
def test_what_makes_no_sense_is_refused(arguments):
    done = subprocess.run([PROGRAMS / "cz-janitor", *arguments], capture_output=True, timeout=60)
    assert done.returncode == 64


def test_two_do_not_clean_at_once(shared):
    with open(shared.lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = shared.run(*CALM)
        assert done.stdout == "" and "another cz-janitor is at it" in done.stderr
        # A dry run is in nobody's way.
        assert shared.run(*CALM, "--dry-run").stdout
    assert shared.run(*CALM).stdout


@pytest.mark.parametrize("shared", ["docker"], indirect=True)
def test_on_a_schedule_it_stays_and_cleans_when_it_is_time(cleaned, unique, tmp_path):
    image = cleaned.push(unique("image"))
    name = run_to_end(cleaned, image, unique("instance"))
    daemon = Daemon(
        *["cz-janitor", *cleaned.command()[1:]], *CALM, "--stopped-after", "0s", "--schedule",
        "* * * * *", "--jitter", "1s")
    wait_until(lambda: "waiting" in daemon.text(), "it to wait")
    wait_until(lambda: name not in cleaned.device.containers(), "its time to come", patience=120)
    wait_until(lambda: daemon.text().count("waiting") == 2, "it to wait again")
    text = daemon.stop()
    assert "cleaned up" in text and f"container  {name}" in text


# --- Files ---

def test_files_of_pulls_and_plugins_go(shared, tmp_path):
    def add(path, age, size=1000):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        os.utime(path, (time.time() - age,) * 2)
        return str(path)
    cache, plugins = tmp_path / "cache", tmp_path / "plugins"
    old = add(cache / "blobs/sha256" / ("a" * 64), 500)
    add(cache / "blobs/sha256" / ("b" * 64), 100)
    for name in "ab":
        add(cache / "origins/sha256" / (name * 64), 500)
    partial = add(cache / "partial/x", 2 * DAY)
    add(cache / "partial/y", 10)
    tarball = add(plugins / "old.tar", 8 * DAY)
    add(plugins / "new.tar", 10)
    left = add(plugins / ".partial-1", 2 * DAY)
    assert shared.both("--cache", cache, "--cache-limit", "1K", "--plugin-dir", plugins) == {
        ("blob", old): "cache-limit", ("partial", partial): "aborted",
        ("tarball", tarball): "stale-tarball", ("partial", left): "aborted"}
    # The record of where a blob came from goes with it.
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "b" * 64, "b" * 64, "new.tar", "y"]


def test_one_that_fails_does_not_stop_the_rest(shared, tmp_path):
    for folder in "blobs", "plugins":
        (tmp_path / folder).mkdir()
    (tmp_path / "blobs/sha256").write_text("not a folder")
    stale = tmp_path / "plugins/.partial-1"
    stale.write_text("x")
    os.utime(stale, (0, 0))
    done = shared.run(*CALM, "--cache", tmp_path, "--plugin-dir", tmp_path / "plugins", code=1)
    assert "1 failed" in done.stdout and not stale.exists()
    assert "Not a directory" in done.stderr


# --- Beside everybody else ---

class Loop:
    """A janitor that cleans all the time, while others work."""

    def __init__(self, cleaned, *arguments):
        self.cleaned, self.arguments = cleaned, arguments
        self.stopping = threading.Event()
        self.outcomes, self.failures, self.runs = {}, [], 0
        self.thread = threading.Thread(target=self.loop)

    def loop(self):
        while not self.stopping.is_set():
            done = subprocess.run(
                self.cleaned.command(*CALM, "--json", *self.arguments), capture_output=True,
                text=True, timeout=300)
            self.runs += 1
            if done.returncode:
                self.failures.append((done.stdout, done.stderr))
            for line in map(json.loads, done.stdout.splitlines()):
                if "outcome" in line:
                    key = line["kind"], line["outcome"]
                    self.outcomes[key] = self.outcomes.get(key, 0) + 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class Workers:
    """Threads that each do something in turns; what goes wrong in one fails the test."""

    def __init__(self):
        self.threads, self.errors = [], []

    def add(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(f"{work.__name__}: {error!r}")
        self.threads.append(threading.Thread(target=guarded))

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        assert not self.errors, "\n".join(self.errors)


GREEDY = ("--stopped-after", "0s", "--unused-after", "0s", "--keep", "0", "--unused-images",
          "--volumes")
ROUNDS = int(os.environ.get("CONTAINERZ_CLEANING_ROUNDS", 8))


def updates(cleaned, name, repository, needs_luck):
    """An instance goes back and forth between versions; it always runs, and has its image."""
    device = cleaned.device
    settle(lambda: cleaned.push(repository, "v0"),
           lambda: device.start(f"{repository}:v0", name, cmd="/bin/idle"), needs_luck)
    for number in range(1, ROUNDS + 1):
        version = f"{repository}:v{number}"
        if number % 4 == 3:
            # One that does not work: the old one has to come back.
            before = device.containers()[name]
            settle(lambda: cleaned.push(repository, f"v{number}"),
                   lambda: device.update(name, version, cmd="sh -c 'exit 3'"), needs_luck,
                   Code.INTERNAL)
            after = device.containers()[name]
            assert (after.id, after.image_name) == (before.id, before.image_name)
        else:
            settle(lambda: cleaned.push(repository, f"v{number}"),
                   lambda: device.update(name, version), needs_luck)
            assert device.containers()[name].image_name == version
        assert device.state(name) == "RUNNING"
        assert device.containers()[name].image_name in device.images()


def deploys(cleaned, name, repository, needs_luck):
    """Instances come and go, each of an image of its own."""
    device = cleaned.device
    for number in range(ROUNDS):
        image = f"{repository}:d{number}"
        settle(lambda: cleaned.push(repository, f"d{number}"),
               lambda: device.start(image, name, cmd="/bin/idle"), needs_luck)
        assert device.state(name) == "RUNNING" and image in device.images()
        device.remove(name)


def restarts(cleaned, name, image):
    """An instance that is to be kept is stopped and started again."""
    device = cleaned.device
    for _ in range(ROUNDS * 2):
        device.stop(name, force=True)
        device.start_again(name)
        assert device.state(name) == "RUNNING" and image in device.images()
        device.stop(name, force=True, restart=True)
        assert device.state(name) == "RUNNING"


def jobs(cleaned, name, image):
    """Instances that end by themselves; the janitor takes them away, as soon as they have."""
    device = cleaned.device
    for number in range(ROUNDS):
        device.start(image, f"{name}-{number}", cmd="true")
    wait_until(lambda: not [c for c in device.containers() if c.startswith(name)], "all to go")


def settle(push, use, needs_luck, expected=Code.OK):
    """Pushes an image and puts it to use. Where nothing protects an image between the two, it may
    be gone before it is used; that, and no other failure, is bad luck."""
    while True:
        push()
        code, text = status_of(use)
        if needs_luck and code == Code.NOT_FOUND:
            continue
        assert code == expected, (code, text)
        return


@pytest.mark.parametrize("needs_luck", [False, True], ids=["greedy", "greediest"])
def test_nothing_needed_disappears(cleaned, unique, needs_luck):
    """CONTAINERZ_CLEANING_ROUNDS sets the number of rounds. The greediest janitor takes images
    the moment they have come, so that removals and uses really meet."""
    device = cleaned.device
    device.start_again = lambda name: device.start(":", name)
    kept = unique("kept")
    kept_image = cleaned.push(unique("image"))
    device.start(kept_image, kept, cmd="/bin/idle", labels={"org.containerz.keep": "true"})
    workers = Workers()
    shared_repository = unique("shared")
    workers.add(updates, cleaned, unique("a"), unique("image"), needs_luck)
    workers.add(updates, cleaned, unique("b"), shared_repository, needs_luck)
    workers.add(deploys, cleaned, unique("c"), shared_repository, needs_luck)
    workers.add(restarts, cleaned, kept, kept_image)
    workers.add(jobs, cleaned, unique("job"), kept_image)
    with Loop(cleaned, *GREEDY, *(["--minimum-age", "0s"] if needs_luck else [])) as loop:
        workers.run()
    assert not loop.failures, loop.failures
    print(f"{cleaned.name}: {loop.runs} runs, {loop.outcomes}")
    # It was not idle.
    assert loop.outcomes.get(("container", "removed"), 0) >= ROUNDS
    if needs_luck:
        assert loop.outcomes.get(("image", "removed"), 0) > 0
    left = [c for c in request(cleaned.engine.socket, "GET", "/containers/json?all=1")
            if any(prefix in c["Names"][0] for prefix in ("containerz-aside", "containerz-update"))]
    assert left == []
