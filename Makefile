# Targets for development. Everything runs from .venv; SCENARIO, KILLS and PAIRS can be set on the command line.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TIMEFORMAT = $@: %0lR
LAB_INVENTORY := .lab/lab/inventory.yml
LAB_KUBECONFIG := .lab/lab/kubeconfig
SCENARIOS := default check_mode closed applications upgrade
MORE_SCENARIOS := ha external_etcd bad_day faults kill addons autoscaling backup hardening lived_in calico ipv6
# The examples of scenario applications; empty for all of them, as in make test-all.
export EXAMPLES ?= web helm operations
# Traefik takes longer to build than all the rest: make test-all.
ADDONS ?= local_path_storage metallb
# With Kyverno, its tests sign an image.
SIGNING = $(if $(filter kyverno,$(ADDONS)),cosign)
CORES ?=
PROGRAMS := kubectl helm
# Scenarios upgrade, ha and external_etcd: the version of the new cluster, which is upgraded to kube_version (roles/cluster/defaults/main.yml), and those that
# are on the way there: of its minor version, unless it is that one (UPGRADE_FROM=1.37.1 is a patch upgrade), and of the later ones.
export UPGRADE_FROM ?= 1.36.3
UPGRADE_TO = $(filter-out $(UPGRADE_FROM),$(shell awk -F '[. ]+' -v minor=$(word 2,$(subst ., ,$(UPGRADE_FROM))) \
  '$$1 == "" && $$2 == "kubernetes:" && $$4 >= minor { print $$3 "." $$4 "." $$5 }' roles/cluster/defaults/main.yml))
PAIRS ?= 3
LAB_KIND ?= container
LIGHT_HOSTS ?= 1 10 30 100
OBJECTS ?= 10 100 500

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.made  ## the virtual environment, with this checkout as the collection slipway.kube
.venv/.made: requirements.txt
	python3 -m venv .venv || { echo 'python3 cannot create a virtual environment: install python3-venv.' >&2; exit 1; }
	@echo 'Ansible, and what the tests need, is installed in .venv; this takes one to four minutes.'
	.venv/bin/pip install --quiet --requirement requirements.txt
	mkdir -p .cache/collections/ansible_collections/slipway
	ln -sfn ../../../.. .cache/collections/ansible_collections/slipway/kube
	touch $@

origin: venv  ## where upstream cannot be reached: build its software from Go modules (10 to 15 minutes the first time)
	time python tools/origin build --if-needed

programs: origin  ## kubectl and helm for this machine and an image of PostgreSQL for the lab, for examples and benchmarks
	time python tools/origin build --if-needed --debian-image docker.io/library/postgres:15-bookworm $(addprefix --program ,$(PROGRAMS))
	python tools/origin programs $(PROGRAMS)

kernel:  ## where KVM does not work: build a kernel of which virtual machines of the lab are processes (10 minutes the first time)
	time tools/user_mode_linux/build

lab: origin  ## a cluster of three hosts on this machine, with a sample application (LAB_KIND=vm: on virtual machines)
	ansible-playbook slipway.kube.lab -e lab_kind=$(LAB_KIND)
	ansible-playbook slipway.kube.cluster -i $(LAB_INVENTORY)
	ansible cp1 -i $(LAB_INVENTORY) -m ansible.builtin.fetch -a 'src=/usr/bin/kubectl dest=.venv/bin/ flat=true' >/dev/null
	chmod 0755 .venv/bin/kubectl
	ansible-playbook examples/web/deploy.yml -i $(LAB_INVENTORY)
	@printf '%s\n' 'The cluster is ready. Run "make lab-down" to remove it. To use it, run:' '  source .venv/bin/activate' \
	  '  export KUBECONFIG=$(CURDIR)/$(LAB_KUBECONFIG)' '  kubectl get nodes'

lab-down: venv  ## remove the lab
	ansible-playbook slipway.kube.lab -e lab_state=absent

test: test-unit test-static $(addprefix molecule-,$(SCENARIOS))  ## what fits into an hour

test-all:  ## everything: all examples, ten kills, an upgrade over two minor versions, all versions of ansible-core, scenario default with the oldest and the newest, IPv6 only, virtual machines
	$(MAKE) test EXAMPLES=
	$(MAKE) test-matrix
	$(MAKE) origin
	SCENARIO=default tests/matrix/run 2.16 2.21
	$(MAKE) $(addprefix molecule-,$(MORE_SCENARIOS)) KILLS=10 ADDONS="$(ADDONS) cert_manager gateway_api kyverno logs monitoring traefik"
	$(MAKE) molecule-upgrade UPGRADE_FROM=1.35.4
	$(MAKE) test-vm

test-unit: venv  ## unit tests: no network, no hosts
	time pytest --numprocesses auto

test-lint: venv  ## ruff, mypy, ansible-lint (production profile), changelog, documentation, and the built artifact
	ruff check .
	ruff format --check .
	mypy
	ansible-lint
	antsibull-changelog lint
	python docs/generate.py --check
	$(MAKE) site
	tests/artefact

test-sanity: venv  ## ansible-test sanity
	time tests/sanity/run

test-static: venv  ## test-lint and test-sanity at the same time
	time $(MAKE) --jobs=2 --output-sync=target test-lint test-sanity

test-matrix: venv  ## unit and sanity tests with all supported versions of ansible-core (CORES="2.16 2.21" for some)
	tests/matrix/run $(CORES)

test-molecule: molecule-$(or $(SCENARIO),default)  ## one scenario, such as SCENARIO=upgrade (the folders in molecule/)
test-vm: molecule-machine molecule-vm molecule-cloudimage molecule-selinux molecule-network_policy  ## on virtual machines: swap, cgroup v2, power cut, SELinux, policies
molecule-applications: programs
molecule-network_policy: ADDONS = network_policy
molecule-addons molecule-network_policy: venv
	time python tools/origin build --if-needed $(addprefix --addon ,$(ADDONS)) $(SIGNING:%=--program %)
	$(if $(SIGNING),python tools/origin programs $(SIGNING))
	time molecule test --no-command-borders --scenario-name $(@:molecule-%=%)
molecule-upgrade molecule-ha molecule-external_etcd: venv
	time python tools/origin build --if-needed $(addprefix --kubernetes ,$(UPGRADE_TO) $(UPGRADE_FROM))
	time molecule test --no-command-borders --scenario-name $(@:molecule-%=%)
molecule-%: origin
	time molecule test --no-command-borders --scenario-name $*

bench: PROGRAMS += kwok
bench: programs  ## compare with a kubeadm script and with other tools: PAIRS=3 LIGHT_HOSTS="1 10 30 100" OBJECTS="10 100 500"; docs/benchmarks
	python tests/benchmarks/run.py --pairs $(PAIRS) --light-hosts $(LIGHT_HOSTS) --objects $(OBJECTS)

docs: venv  ## the pages under docs/, from the specifications of roles and modules
	python docs/generate.py

site: venv  ## the documentation as a site, with every link checked
	sphinx-build -q --fail-on-warning --keep-going --jobs 2 --conf-dir docs --doctree-dir .cache/sphinx . .cache/site
	@! grep --recursive --include='*.html' --include='*.css' --extended-regexp \
	  '<(script|link|img)[^>]* (src|href)="(https?:)?//|(@import|url\()[ "'\'']*(https?:)?//' .cache/site # nothing is loaded from elsewhere
	@echo 'The documentation is in .cache/site/docs/index.html'

clean:  ## remove what tests and builds created in the tree (neither the lab nor the origin)
	rm -rf .cache .venv tests/output slipway-kube-*.tar.gz
	find . -name __pycache__ -prune -exec rm -rf {} +

ifneq ($(MAKECMDGOALS),test-lint test-sanity)
.NOTPARALLEL:
endif
.PHONY: help origin programs lab lab-down test test-all test-unit test-lint test-sanity test-static test-matrix test-molecule test-vm bench docs site clean venv
