"""The ground under the tests: what decides without touching the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hack import (
    archive,
    builders,
    engine,
    images,
    kindconfig,
    leftovers,
    lock,
    machine,
    network,
    paths,
    shell,
    steps,
    toolbox,
)


def test_each_checkout_has_a_name_of_its_own_that_fits_into_names_of_containers() -> None:
    assert paths.name_of(Path("/a")) != paths.name_of(Path("/b"))
    assert paths.name_of(Path("/a")) == paths.name_of(Path("/a"))
    assert len(paths.name_of(Path("/a")) + "-control-plane") < 63


def test_a_digest_changes_with_content_name_and_mode_of_any_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    seen = {paths.digest(tmp_path)}
    file.write_text("2")
    seen.add(paths.digest(tmp_path))
    file.chmod(0o755)
    seen.add(paths.digest(tmp_path))
    file.rename(tmp_path / "b")
    seen.add(paths.digest(tmp_path))
    assert len(seen) == 4


def test_a_digest_does_not_change_with_bytecode_or_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("1")
    before = paths.digest(tmp_path / "here")
    (tmp_path / "here" / "__pycache__").mkdir()
    (tmp_path / "here" / "__pycache__" / "a.pyc").write_text("x")
    assert paths.digest(tmp_path / "here") == before == paths.digest(tmp_path / "there")


@pytest.mark.parametrize("tool", toolbox.TOOLS.values(), ids=lambda tool: tool.name)
def test_each_tool_is_pinned_with_checksums(tool: toolbox.Tool) -> None:
    assert tool.version.startswith("v")
    module = (tool.source / "go.mod").read_text()
    assert "latest" not in module
    if "require" in module:
        assert (tool.source / "go.sum").stat().st_size > 0


def test_a_tool_is_built_anew_when_its_flags_or_its_module_change() -> None:
    kind = toolbox.TOOLS["kind"]
    other = toolbox.Tool(kind.name, kind.module, kind.programs, kind.usually, tags="other")
    assert kind.home.name.startswith(f"kind-{kind.version}-")
    assert other.home != kind.home
    assert toolbox.TOOLS["kubectl"].home != toolbox.TOOLS["kubernetes"].home


def test_kubernetes_programs_are_told_their_version() -> None:
    tool = toolbox.TOOLS["kubernetes"]
    assert f"-X k8s.io/component-base/version.gitVersion={tool.version}" in tool.flags()[-1]
    assert "-X" not in toolbox.TOOLS["kind"].flags()[-1]


def test_a_plain_machine_gets_no_special_settings() -> None:
    plain = json.loads(kindconfig.render(1, own_cni=False, cgroup_v1=False, restricted=False))
    assert [node["role"] for node in plain["nodes"]] == ["control-plane"]
    assert "containerdConfigPatches" not in plain
    assert not plain["networking"]["disableDefaultCNI"]
    kubelet = json.loads(plain["kubeadmConfigPatches"][0])
    assert kubelet["maxPods"] == 250
    assert "failCgroupV1" not in kubelet


def test_a_restricted_cgroup_v1_machine_gets_them_and_three_nodes_are_three() -> None:
    special = json.loads(kindconfig.render(3, own_cni=True, cgroup_v1=True, restricted=True))
    assert [node["role"] for node in special["nodes"]] == ["control-plane", "worker", "worker"]
    assert "restrict_oom_score_adj = true" in special["containerdConfigPatches"][0]
    assert json.loads(special["kubeadmConfigPatches"][0])["failCgroupV1"] is False


@pytest.mark.parametrize(("bounds", "lacks"), [("000001ffffffffff", False), ("000001fffeffffff", True)])
def test_a_missing_right_of_root_is_seen(bounds: str, lacks: bool) -> None:
    assert machine.lacks_sys_resource(f"Name:\tx\nCapBnd:\t{bounds}\n") is lacks


def test_our_engine_uses_the_restricted_runtime_only_where_it_must() -> None:
    assert "runtimes" not in engine.daemon_config("kindler-x", restricted=False)
    assert engine.daemon_config("kindler-x", restricted=True)["default-runtime"] == "restricted"
    assert engine.daemon_config("kindler-x", restricted=False)["cgroup-parent"] == "/kindler-x"


def test_the_runtime_takes_the_right_out_of_the_specification(tmp_path: Path) -> None:
    wrapper = (paths.ROOT / "hack" / "node" / "runc-restricted").read_text().replace("exec /usr/sbin/runc", "exec true")
    (tmp_path / "config.json").write_text(
        '{"bounding":["CAP_SYS_RESOURCE","CAP_KILL"],"permitted":["CAP_KILL","CAP_SYS_RESOURCE"]}'
    )
    subprocess.run(["sh", "-c", wrapper, "runc", "create", "--bundle", str(tmp_path), "x"], check=True)
    assert (tmp_path / "config.json").read_text() == '{"bounding":["CAP_KILL"],"permitted":["CAP_KILL"]}'


def test_what_an_engine_changed_on_the_machine_is_put_back_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, made = tmp_path / "kernel" / "panic", tmp_path / "modules"
    setting.parent.mkdir()
    setting.write_text("0\n")
    monkeypatch.setattr(machine, "SYSCTLS", ("kernel.panic",))
    monkeypatch.setattr(machine, "FOLDERS", (str(made),))
    monkeypatch.setattr(machine, "PROC_SYS", tmp_path)
    monkeypatch.setattr(paths, "runs", lambda: tmp_path / "runs")
    machine.remember()
    setting.write_text("10")
    made.mkdir()
    machine.remember()  # a second engine starts: the first one's changes are not the machine's
    machine.restore()
    assert (setting.read_text(), made.exists()) == ("0", False)
    setting.write_text("7")
    machine.restore()
    assert setting.read_text() == "7"


def test_the_dns_of_a_closed_network_answers_other_names_at_once() -> None:
    before = ".:53 {\n    ready\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30\n}\n"
    after = network.closed_corefile(before)
    assert after == ".:53 {\n    ready\n    cache 30\n}\n"


def test_each_node_gives_addresses_from_its_own_range() -> None:
    file = json.loads(network.conflist(network.Node("n", "172.18.0.2", "10.244.2.0/23")))
    assert file["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.2.0/23"}]]


def test_the_second_command_hears_who_holds_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    with (
        lock.held("x", "hack up"),
        pytest.raises(steps.Trouble, match=rf"`hack up` \(process {os.getpid()}\) holds the lock"),
        lock.held("x", "hack down"),
    ):
        pass
    with lock.held("x", "hack down"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    program = f"""
from pathlib import Path
from hack import lock, paths
paths.cache = lambda: Path({str(tmp_path)!r})
with lock.held("x", "hack up"):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=paths.ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(steps.Trouble), lock.held("x", "hack down"):
            pass
        holder.kill()
        holder.wait()
        with lock.held("x", "hack down"):
            pass


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        ("12 1000 hack up", "`hack up` (process 12) holds the lock since 1 min 5 s"),
        ("12 2000 hack up", "`hack up` (process 12) holds the lock since 0 s"),
        ("", "another command holds the lock (it has just begun)"),
        ("rubbish", "another command holds the lock (it has just begun)"),
    ],
)
def test_lock_messages(holder: str, says: str) -> None:
    assert lock.message(holder, 1065) == says


def test_a_child_dies_with_its_parent() -> None:
    program = "from hack import shell; import sys; p = shell.start(['sleep', '600']); print(p.pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=paths.ROOT
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    try:
        assert shell.gone(child, seconds=10)
    finally:
        os.close(child)


def test_a_failing_program_shows_what_it_said_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "logs", lambda: tmp_path)
    with pytest.raises(steps.Trouble, match=r"sh failed \(exit 3\)(.|\n)*it broke"):
        shell.run(["sh", "-c", "echo it broke; exit 3"], "x")


def test_an_archive_is_the_same_bytes_each_time_and_holds_what_was_said(tmp_path: Path) -> None:
    image = archive.Image(["localhost/a:1"], {"/bin/a": b"program"}, ["/bin/a"], {"/bin/b": "a"})
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        archive.write(tmp_path / f"{name}.tar", [image], tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as whole:
        manifest = json.load(whole.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(whole.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]
        with tarfile.open(fileobj=whole.extractfile(manifest[0]["Layers"][0])) as layer:
            assert layer.getnames() == ["bin", "bin/a", "bin/b"]
    assert manifest[0]["RepoTags"] == ["localhost/a:1"]
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 1


def test_builds_get_the_settings_of_pip_that_mean_something_elsewhere() -> None:
    listing = ":env:.find-links='/opt/wheels'\nglobal.index-url='https://a.invalid/simple'\n:env:.index-url='https://b.invalid/simple'\nglobal.cert='/x'"
    assert builders.pip_settings(listing) == "[global]\nindex-url = https://b.invalid/simple\n"


def test_the_products_image_changes_with_its_code_and_not_with_tests() -> None:
    inputs = {str(path.relative_to(paths.ROOT)) for path in images.product().inputs}
    assert inputs == {"Dockerfile", ".dockerignore", "requirements.lock", "operator/kindler"}


def test_leftovers_are_those_of_checkouts_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "runs", lambda: tmp_path / "runs")
    monkeypatch.setattr(paths, "cache", lambda: tmp_path / "cache")
    (tmp_path / "cache" / "engines").mkdir(parents=True)
    for name, owner in (("kindler-lives", tmp_path), ("kindler-gone", tmp_path / "nowhere")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "owner").write_text(str(owner))
    (tmp_path / "cache" / "engines" / "kindler-data.owner").write_text(str(tmp_path / "nowhere"))
    assert leftovers.orphans() == ["kindler-data", "kindler-gone"]


@pytest.mark.parametrize(("seconds", "says"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (425, "7 min 5 s")])
def test_lengths_of_time_are_said_as_a_person_says_them(seconds: float, says: str) -> None:
    assert steps.clock(seconds) == says
