"""Generated files match their sources, and the check finds a file that does not match."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hack import generate
from hack.generate import OUTPUTS, ROOT, Output
from kindler.api.base import Block, WithoutEffect
from kindler.api.kinds import KINDS, Kind
from kindler.api.shape import children, markers
from kindler.api.warn import warn_policy


def test_every_committed_file_is_up_to_date() -> None:
    assert generate.stale(ROOT) == (), "run `make generate`"


def test_the_same_models_give_the_same_text() -> None:
    assert [o.render() for o in OUTPUTS] == [o.render() for o in OUTPUTS]


def test_the_chart_has_the_same_crds() -> None:
    for kind in KINDS:
        name = f"serving.kindler.dev_{kind.plural}.yaml"
        assert (ROOT / "crds" / name).read_bytes() == (ROOT / "charts/kindler/crds" / name).read_bytes()


def test_the_folders_of_crds_have_no_other_files() -> None:
    for folder in ("crds", "charts/kindler/crds"):
        result = {f"{folder}/{path.name}" for path in (ROOT / folder).iterdir()}
        assert result == {o.path for o in OUTPUTS if o.path.startswith(f"{folder}/")}


def test_a_missing_and_an_edited_file_are_stale_until_written(tmp_path: Path) -> None:
    outputs = (Output("a/one.yaml", lambda: "one\n"), Output("two.md", lambda: "two\n"))
    assert generate.stale(tmp_path, outputs) == ("a/one.yaml", "two.md")
    assert generate.write(tmp_path, outputs) == ("a/one.yaml", "two.md")
    assert generate.write(tmp_path, outputs) == ()
    (tmp_path / "two.md").write_text("edited\n")
    assert generate.stale(tmp_path, outputs) == ("two.md",)


def test_check_names_the_stale_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    output = capsys.readouterr().err
    assert "crds/serving.kindler.dev_models.yaml" in output
    assert "make generate" in output
    assert not list(tmp_path.iterdir()), "a check must not write files"


def test_the_check_runs_as_a_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "hack.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "up to date" in result.stdout


def _fields_with_warning(block: type[Block], path: str) -> set[str]:
    result = set()
    for info in block.model_fields.values():
        field = f"{path}.{info.alias}"
        marker = next((m for m in markers(info) if isinstance(m, WithoutEffect)), None)
        if marker and marker.warn:
            result.add(field)
        elif not marker and (below := children(info)):
            result |= _fields_with_warning(below, field)
    return result


@pytest.mark.parametrize("kind", KINDS, ids=[kind.kind for kind in KINDS])
def test_the_policy_warns_about_each_marked_field_and_rejects_nothing(kind: Kind) -> None:
    policy, binding = warn_policy(kind, "kindler")
    warned = {v["message"].split(" has no effect: ")[0].replace("[]", "") for v in policy["spec"]["validations"]}
    assert warned == _fields_with_warning(kind.spec, "spec")
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Warn"]}
    assert policy["spec"]["failurePolicy"] == "Ignore"
    assert policy["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == [kind.plural]


def test_names_of_policies_begin_with_the_release_because_they_are_cluster_scoped() -> None:
    documents = list(yaml.safe_load_all((ROOT / "charts/kindler/templates/policy-warnings.yaml").read_text()))
    assert len(documents) == 2 * len(KINDS)
    assert all(d["metadata"]["name"].startswith("{{ .Release.Name }}-") for d in documents)
