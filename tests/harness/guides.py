# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the guides and the README, who runs each of them, and how they are run as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from harness.playbook import ROOT

PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
PROGRAMS = "ansible|ansible-galaxy|ansible-playbook|ansible-vault|curl|docker|kubectl|make|python3|ssh"
COMMAND = re.compile(rf"^ {{4}}((?:{PROGRAMS}) (?!.*: \{{)[^\n]*)$", re.MULTILINE)
CHECK = "--check"
MINE = "-i inventories/mine"

# Run as they are written on the cluster of a scenario, in this order; with CHECK added where the scenario needs its cluster as it is.
IN_SCENARIOS: dict[str, dict[str, str]] = {
    "default": {
        f"ansible all {MINE} -m ansible.builtin.ping --become": "",
        "kubectl get nodes": "",
        "kubectl describe node w1": "",
        "ssh -F .lab/lab/ssh/config cp1 sudo kubectl get nodes": "",
        "ansible-playbook slipway.kube.cluster -i .lab/lab/inventory.yml": CHECK,
        f"ansible-playbook slipway.kube.cluster {MINE} --check --diff": "",
        f"ansible-playbook slipway.kube.health {MINE}": "",
        f"ansible-playbook slipway.kube.addons {MINE} --check --diff": "",
        f"ansible-playbook slipway.kube.addons {MINE}": "",
        f"ansible-playbook slipway.kube.certificates {MINE}": "",
        f"ansible-playbook slipway.kube.certificates {MINE} -e certificates_renew=true": CHECK,
        f"ansible-playbook slipway.kube.node_reboot {MINE} --check": "",
        f"ansible-playbook slipway.kube.node_drain {MINE} -e node_drain_nodes=w1": "",
        f"ansible-playbook slipway.kube.node_drain {MINE} -e node_drain_nodes=w1 -e node_drain_state=uncordoned": "",
        f"ansible-playbook slipway.kube.upgrade {MINE} --check": "",
        "ansible-playbook slipway.kube.health -e health_hosts=localhost -e health_kubeconfig=~/.kube/config": "",
        "ansible-playbook slipway.kube.inventory -e inventory_path=inventories/running -e inventory_kubeconfig=~/.kube/config": "",
        f"ansible-playbook slipway.kube.history {MINE}": "",
    },
}

# Run by a test with other arguments, other hosts, or in another place: the file has the name of the playbook, or what else is said here.
NEW = "ansible-playbook slipway.kube.inventory -e inventory_control_planes"
BUNDLE, ARCHIVE = "ansible-playbook slipway.kube.bundle -e bundle_state", "bundle_archive=/media/stick/bundle.tar.zst"
RESTORE = f"ansible-playbook slipway.kube.restore {MINE} -e restore_archive=backups/FILE.tar.age -e restore_age_identity=cluster-backup.key"
INVENTORIES, CLOSED = "tests/unit/roles/test_guide_commands.py", "molecule/closed/tests/test_closed.py"
BACKUP, SCALE = "molecule/backup/tests/test_backup.py", "molecule/autoscaling/tests/test_autoscaling.py"
GROWN, HA = "molecule/ha/grown/test_grown.py", "molecule/ha/tests/test_ha.py"
FREED = 'kubectl patch pv share --type=json -p \'[{"op": "remove", "path": "/spec/claimRef"}]\''
ELSEWHERE: dict[str, tuple[str, str]] = {
    f"{NEW}=192.0.2.11 -e inventory_workers=192.0.2.21,192.0.2.22 -e inventory_user=admin": (INVENTORIES, "inventory"),
    f"{NEW}=192.0.2.11,192.0.2.12,192.0.2.13 -e kube_control_plane_vip=192.0.2.100": (INVENTORIES, "inventory"),
    f"ansible-playbook slipway.kube.inventory {MINE}": (INVENTORIES, "inventory"),
    "ansible -i production.nodes.yml kube_worker -m ansible.builtin.ping": (
        "tests/unit/plugins/inventory/test_nodes_inventory.py",
        "nodes.yml",
    ),
    "ansible-galaxy collection build": ("tests/artefact", "ansible-galaxy collection build"),
    "ansible-galaxy collection install slipway-kube-0.1.0.tar.gz": (
        "tests/artefact",
        "ansible-galaxy collection install",
    ),
    "ansible-playbook examples/web/deploy.yml -i .lab/lab/inventory.yml": (
        "molecule/applications/tests/test_examples.py",
        "web",
    ),
    "ansible-playbook slipway.kube.lab": ("molecule/lab/create.yml", "lab"),
    "ansible-playbook slipway.kube.lab -e lab_state=absent": ("molecule/lab/destroy.yml", "absent"),
    "kubectl --namespace monitoring get configmap dashboards --output 'jsonpath={.data.nodes\\.json}' > nodes.json": (
        "molecule/addons/tests/test_monitoring.py",
        "dashboards",
    ),
    FREED: ("molecule/applications/tests/test_storage.py", "/spec/claimRef"),
    "docker kill slipway-lab-w1": ("tests/harness/hosts.py", "container.kill"),
    "docker start slipway-lab-w1": ("tests/harness/hosts.py", "container.start"),
    f"ansible-playbook slipway.kube.cluster {MINE}": ("molecule/default/again/test_again.py", "cluster"),
    f"ansible-playbook slipway.kube.cluster {MINE} -e @/srv/slipway-mirror/vars.yml": (CLOSED, "cluster"),
    "ansible-playbook slipway.kube.cluster -i inventories/ha -e kube_move_endpoint=true": (GROWN, "kube_move_endpoint"),
    "ansible-playbook slipway.kube.cluster -i inventories/ha": (HA, "cluster"),
    "ansible-playbook slipway.kube.node_remove -i inventories/ha -e node_remove_nodes=cp3": (HA, "node_remove"),
    f"ansible-playbook slipway.kube.node_remove {MINE} -e node_remove_nodes=w2": (
        "molecule/upgrade/leaving/test_leaving.py",
        "node_remove",
    ),
    f"ansible-playbook slipway.kube.reset {MINE} -e reset_confirm=kubernetes": (
        "tests/harness/reset.py",
        "reset_confirm",
    ),
    f"ansible-playbook slipway.kube.node_reboot {MINE}": (HA, "node_reboot"),
    f"ansible-playbook slipway.kube.upgrade {MINE}": ("molecule/upgrade/tests/test_upgrade.py", "upgrade"),
    f"ansible-playbook slipway.kube.upgrade {MINE} -e slipway_confirm=true": (
        "tests/unit/roles/test_confirm.py",
        "slipway_confirm",
    ),
    f"ansible-playbook slipway.kube.certificates {MINE} -e certificates_rotate_authorities=all": (
        "molecule/bad_day/tests/test_bad_day.py",
        "certificates_rotate_authorities=all",
    ),
    f"ansible-playbook slipway.kube.backup {MINE} -e backup_fetch_dir=backups": (BACKUP, "backup_fetch_dir"),
    f"ansible-playbook slipway.kube.backup {MINE} --ask-vault-pass": (BACKUP, "backup"),
    RESTORE: ("tests/harness/backup.py", "restore_archive"),
    f"{RESTORE} -e restore_confirm=kubernetes": (BACKUP, "restore_confirm"),
    f"ansible-playbook slipway.kube.scale {MINE} --check": (SCALE, "scale"),
    f"ansible-playbook slipway.kube.scale {MINE}": (SCALE, "scale"),
    "ansible-playbook slipway.kube.bundle": (CLOSED, "bundle"),
    f"{BUNDLE}=packed -e {ARCHIVE}": (CLOSED, "packed"),
    f"{BUNDLE}=unpacked -e {ARCHIVE} -e bundle_dir=/srv/slipway-mirror": (CLOSED, "unpacked"),
    f"{BUNDLE}=verified -e bundle_dir=/srv/slipway-mirror": (CLOSED, "verified"),
}

LASTS = "goes on until it is stopped; molecule/addons asks the same Services"
BY_NOBODY = {
    "make lab": "a lab beside those of the scenarios; its parts are what scenarios default and applications run",
    "make venv && source .venv/bin/activate": "every test runs in what it makes",
    "python3 -m venv ~/slipway && source ~/slipway/bin/activate": "it asks a package registry",
    "ansible-playbook deploy.yml": "a play with an image that does not exist; examples/ are run by scenario applications",
    "ansible-playbook deploy.yml --check --diff": "the same",
    "ansible-vault encrypt_string --name vault_backup_secret_key": "Ansible's own; it asks for a password",
    "kubectl --namespace monitoring port-forward service/prometheus 9090": LASTS,
    "kubectl --namespace monitoring port-forward service/alertmanager 9093": LASTS,
    "kubectl --namespace logs port-forward service/victoria-logs 9428": LASTS,
    "curl http://localhost:9428/select/logsql/query --data-urlencode"
    " 'query=_time:1h {kubernetes.pod_namespace=\"shop\"} error | limit 100'": LASTS,
}


def commands(page: Path) -> list[str]:
    """Return the commands in the blocks of a page, without the comment behind them; lines that go on on the next one are joined."""
    text = re.sub(r" *\\\n +", " ", page.read_text())
    return [re.split(r" {2,}#", found)[0].strip() for found in COMMAND.findall(text)]


def home(inventory: Path, folder: Path) -> Path:
    """Make a folder that looks like that of a reader who has followed the guides, with the hosts and the cluster of a lab."""
    lab, mine = inventory.parent, folder / "inventories" / "mine"
    shutil.rmtree(folder, ignore_errors=True)
    for made in (mine, folder / ".lab", folder / ".kube"):
        made.mkdir(parents=True)
    (folder / ".lab" / "lab").symlink_to(lab)
    (mine / "hosts.yml").symlink_to(inventory)
    (mine / "group_vars").symlink_to(lab / "group_vars")
    for place in (mine / "kubeconfig", folder / ".kube" / "config"):
        shutil.copy(lab / "kubeconfig", place)
    fetched = f"src=/usr/bin/kubectl dest={folder}/bin/ flat=true"
    fetch = ["ansible", "kube_control_plane[0]", "-i", str(inventory), "-m", "ansible.builtin.fetch", "-a", fetched]
    subprocess.run(fetch, cwd=ROOT, check=True, capture_output=True)
    (folder / "bin" / "kubectl").chmod(0o755)
    return folder


def run(command: str, added: str, folder: Path) -> None:
    """Run a command of a guide in the folder of a reader.

    :raises AssertionError: it fails.
    """
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "inventories" / "mine" / "kubeconfig"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
    }
    environment.pop("ANSIBLE_STDOUT_CALLBACK", None)
    done = subprocess.run(
        ["bash", "-c", f"{command} {added}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}"
