"""The parts of hack that do not change the machine: names, digests, settings, locks and messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hack import archive, builder, docker, images, kindconfig, leftovers, lock, paths, shell, steps, toolbox
from hack.bench import tools as bench_tools
from hack.sandbox import dockerd, machine, network, nodetools
from hack.steps import CommandError

ALL_TOOLS = (*toolbox.TOOLS.values(), *nodetools.TOOLS, *bench_tools.TOOLS)


def test_each_checkout_has_its_own_name_short_enough_for_a_container() -> None:
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


def test_a_digest_does_not_depend_on_bytecode_or_on_the_folders_path(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("1")
    before = paths.digest(tmp_path / "here")
    (tmp_path / "here" / "__pycache__").mkdir()
    (tmp_path / "here" / "__pycache__" / "a.pyc").write_text("x")
    assert paths.digest(tmp_path / "here") == before == paths.digest(tmp_path / "there")


@pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)
def test_each_tool_is_pinned_with_checksums(tool: toolbox.Tool) -> None:
    assert tool.version.startswith("v")
    module = (tool.source / "go.mod").read_text()
    assert "latest" not in module
    if "require" in module:
        assert (tool.source / "go.sum").stat().st_size > 0


def test_a_change_of_flags_or_module_builds_the_tool_again() -> None:
    kind = toolbox.TOOLS["kind"]
    other = toolbox.Tool(kind.name, kind.module, kind.programs, kind.usually, tags="other")
    assert kind.home.name.startswith(f"kind-{kind.version}-")
    assert other.home != kind.home
    assert toolbox.TOOLS["kubectl"].home != nodetools.KUBERNETES.home


def test_kubernetes_programs_are_linked_with_their_version() -> None:
    tool = nodetools.KUBERNETES
    assert f"-X k8s.io/component-base/version.gitVersion={tool.version}" in tool.flags()[-1]
    assert "-X" not in toolbox.TOOLS["kind"].flags()[-1]


def test_kind_gets_no_special_settings_on_a_normal_machine() -> None:
    plain = json.loads(kindconfig.render(1, own_cni=False, cgroup_v1=False, restricted=False))
    assert [node["role"] for node in plain["nodes"]] == ["control-plane"]
    assert "containerdConfigPatches" not in plain
    assert not plain["networking"]["disableDefaultCNI"]
    kubelet = json.loads(plain["kubeadmConfigPatches"][0])
    assert kubelet["maxPods"] == 250
    assert "failCgroupV1" not in kubelet


def test_kind_gets_special_settings_on_a_restricted_cgroup_v1_machine_and_three_nodes() -> None:
    special = json.loads(kindconfig.render(3, own_cni=True, cgroup_v1=True, restricted=True))
    assert [node["role"] for node in special["nodes"]] == ["control-plane", "worker", "worker"]
    assert "restrict_oom_score_adj = true" in special["containerdConfigPatches"][0]
    assert json.loads(special["kubeadmConfigPatches"][0])["failCgroupV1"] is False


@pytest.mark.parametrize(("bounds", "lacks"), [("000001ffffffffff", False), ("000001fffeffffff", True)])
def test_a_root_without_cap_sys_resource_is_detected(bounds: str, lacks: bool) -> None:
    assert docker.lacks_sys_resource(f"Name:\tx\nCapBnd:\t{bounds}\n") is lacks


def test_the_sandbox_uses_the_restricted_runtime_only_without_cap_sys_resource() -> None:
    assert "runtimes" not in dockerd.daemon_config("kindler-x", restricted=False)
    assert dockerd.daemon_config("kindler-x", restricted=True)["default-runtime"] == "restricted"
    assert dockerd.daemon_config("kindler-x", restricted=False)["cgroup-parent"] == "/kindler-x"


def test_the_restricted_runtime_removes_the_capability_from_the_specification(tmp_path: Path) -> None:
    wrapper = dockerd.RESTRICTED_RUNC.read_text().replace("exec /usr/sbin/runc", "exec true")
    (tmp_path / "config.json").write_text(
        '{"bounding":["CAP_SYS_RESOURCE","CAP_KILL"],"permitted":["CAP_KILL","CAP_SYS_RESOURCE"]}'
    )
    subprocess.run(["sh", "-c", wrapper, "runc", "create", "--bundle", str(tmp_path), "x"], check=True)
    assert (tmp_path / "config.json").read_text() == '{"bounding":["CAP_KILL"],"permitted":["CAP_KILL"]}'


def test_settings_of_the_machine_that_a_sandbox_changed_are_restored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, made = tmp_path / "kernel" / "panic", tmp_path / "modules"
    setting.parent.mkdir()
    setting.write_text("0\n")
    monkeypatch.setattr(machine, "SYSCTLS", ("kernel.panic",))
    monkeypatch.setattr(machine, "FOLDERS", (str(made),))
    monkeypatch.setattr(machine, "PROC_SYS", tmp_path)
    monkeypatch.setattr(paths, "run_root", lambda: tmp_path / "runs")
    machine.save_settings()
    setting.write_text("10")
    made.mkdir()
    machine.save_settings()  # a second sandbox starts: it must not save the settings that the first one changed
    machine.restore_settings()
    assert (setting.read_text(), made.exists()) == ("0", False)
    setting.write_text("7")
    machine.restore_settings()
    assert setting.read_text() == "7"


def test_dns_in_a_closed_network_forwards_nothing() -> None:
    before = ".:53 {\n    ready\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30\n}\n"
    after = network.closed_corefile(before)
    assert after == ".:53 {\n    ready\n    cache 30\n}\n"


def test_each_node_assigns_addresses_from_its_own_range() -> None:
    file = json.loads(network.conflist(network.Node("n", "172.18.0.2", "10.244.2.0/23")))
    assert file["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.2.0/23"}]]


def test_the_second_command_names_the_holder_of_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    with (
        lock.held("x", "hack up"),
        pytest.raises(CommandError, match=rf"`hack up` \(process {os.getpid()}\) has held the lock"),
        lock.held("x", "hack down"),
    ):
        pass
    with lock.held("x", "hack down"):
        pass


def test_a_lock_is_released_when_its_holder_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        with pytest.raises(CommandError), lock.held("x", "hack down"):
            pass
        holder.kill()
        holder.wait()
        with lock.held("x", "hack down"):
            pass


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        ("12 1000 hack up", "`hack up` (process 12) has held the lock for 1 min 5 s"),
        ("12 2000 hack up", "`hack up` (process 12) has held the lock for 0 s"),
        ("", "another command holds the lock (it started a moment ago)"),
        ("rubbish", "another command holds the lock (it started a moment ago)"),
    ],
)
def test_the_message_of_a_held_lock(holder: str, expected: str) -> None:
    assert lock.message(holder, 1065) == expected


def test_a_child_ends_when_its_parent_is_killed() -> None:
    program = """
import sys
from hack import shell
print(shell.start(["sleep", "600"]).pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=paths.ROOT
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    try:
        assert shell.wait_for_exit(child, seconds=10)
    finally:
        os.close(child)


def test_the_error_of_a_failed_program_shows_its_last_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "logs", lambda: tmp_path)
    with pytest.raises(CommandError, match=r"sh failed \(exit 3\)(.|\n)*no space left"):
        shell.run(["sh", "-c", "echo no space left; exit 3"], "x")


def test_an_archive_has_the_same_bytes_each_time_and_contains_the_given_files(tmp_path: Path) -> None:
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


def test_builds_get_only_those_pip_settings_that_are_valid_in_another_file_system() -> None:
    listing = (
        ":env:.find-links='/opt/wheels'\nglobal.index-url='https://a.invalid/simple'\n"
        ":env:.index-url='https://b.invalid/simple'\nglobal.cert='/x'"
    )
    assert builder.pip_settings(listing) == "[global]\nindex-url = https://b.invalid/simple\n"


def test_the_products_image_depends_on_its_code_and_not_on_tests() -> None:
    inputs = {str(path.relative_to(paths.ROOT)) for path in images.product().inputs}
    assert inputs == {"Dockerfile", ".dockerignore", "requirements.lock", "operator/kindler"}


def test_leftovers_belong_to_checkouts_that_do_not_exist_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "run_root", lambda: tmp_path / "runs")
    monkeypatch.setattr(paths, "cache", lambda: tmp_path / "cache")
    (tmp_path / "cache" / "engines").mkdir(parents=True)
    for name, owner in (("kindler-exists", tmp_path), ("kindler-gone", tmp_path / "nowhere")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "owner").write_text(str(owner))
    (tmp_path / "cache" / "engines" / "kindler-data.owner").write_text(str(tmp_path / "nowhere"))
    assert leftovers.orphans() == ["kindler-data", "kindler-gone"]


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (425, "7 min 5 s")])
def test_durations_are_printed_in_minutes_and_seconds(seconds: float, expected: str) -> None:
    assert steps.duration(seconds) == expected
