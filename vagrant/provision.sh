#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a fresh Debian 12 machine a node: builds Weir and starts its agent on /etc/weir/manifests.
# usage: provision.sh NODE-NAME
set -euo pipefail

node=${1:?usage: provision.sh NODE-NAME}
cd /vagrant
./dev deps build demo
./dev build
install -m 755 build/bin/weir /usr/local/bin/weir
mkdir -p /etc/weir/manifests

cat >/etc/systemd/system/weir.service <<UNIT
[Unit]
Description=Weir agent
After=network-online.target
RequiresMountsFor=/sys/fs/bpf

[Service]
ExecStart=/usr/local/bin/weir agent --manifests /etc/weir/manifests --node-name $node
Restart=always
KillMode=mixed

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now weir.service
weir status
