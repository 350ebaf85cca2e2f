"""``deploy/kubernetes/``: against the schemas of Kubernetes and Dagster's own; no cluster and no chart run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml

from ideas_pipeline.settings import Settings, variable
from ideas_pipeline_tests.processes import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
[CODE] = VALUES["dagster-user-deployments"]["deployments"]
SECRET = yaml.safe_load((FOLDER / "secret.yaml").read_text())
KUBERNETES = "1.33"


def test_the_secret_is_a_valid_manifest_of_known_settings_without_values() -> None:
    kubernetes_validate.validate(SECRET, KUBERNETES, strict=True)
    assert CODE["envSecrets"] == [{"name": SECRET["metadata"]["name"]}]
    assert set(SECRET["stringData"]) | set(CODE["env"]) <= {variable(name) for name in Settings.model_fields}
    assert not [name for name, value in SECRET["stringData"].items() if value and "password@host" not in value]


@pytest.mark.parametrize(
    "part", [CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]], ids=["code", "webserver", "daemon"]
)
def test_what_the_chart_puts_into_pods_is_valid(part: dict[str, Any]) -> None:
    """The chart copies these sections into its Deployments as they are."""
    container = {
        "name": "it",
        "image": f"{part['image']['repository']}:{part['image']['tag']}",
        "imagePullPolicy": part["image"]["pullPolicy"],
        "securityContext": part["securityContext"],
        "resources": part["resources"],
        "volumeMounts": part["volumeMounts"],
        "envFrom": [{"secretRef": secret} for secret in part.get("envSecrets", [])],
    }
    pod = {"securityContext": part["podSecurityContext"], "volumes": part["volumes"], "containers": [container]}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": pod}, KUBERNETES, strict=True
    )
    assert {mount["name"] for mount in part["volumeMounts"]} == {volume["name"] for volume in part["volumes"]}
    assert (pod["securityContext"]["runAsNonRoot"], container["securityContext"]["readOnlyRootFilesystem"]) == (
        True,
        True,
    )


def test_the_sections_of_dagster_yaml_are_those_of_one_machine(tmp_path: Path) -> None:
    """Both deployments queue runs and try them again by the same rules; Dagster accepts the sections."""
    sections = VALUES["additionalInstanceConfig"]
    one_machine = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    assert sections["run_retries"] == one_machine["run_retries"]
    assert sections["concurrency"]["pools"] == one_machine["concurrency"]["pools"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(sections))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 10
