#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agency demo: a small cluster out of network namespaces, one `weir agent` a node, pods with real
# web servers, and who reaches whom before and after each policy of examples/agency. Every cell is a
# real connection attempt; the exit status tells whether all were as they should be.
#
#   demo.sh          set up, show, remove
#   demo.sh --keep   set up, show, leave it up to play with
#   demo.sh --down   remove what --keep left
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
weir=${WEIR_PROGRAM:-$here/../build/bin/weir}
home=/run/weir-demo   # everything that the demo owns is in here or called weir-demo-*
prefix='weir-demo-'
nodes=(node-a node-b) # node-a: pods are ports of a bridge; node-b: pods are routed
ends=(hms-gateway fire-svc-0 fire-svc-1 dcaa-audit rogue audit-office)
declare -A node_of=([hms-gateway]=node-a [fire-svc-0]=node-a [rogue]=node-a
    [fire-svc-1]=node-b [dcaa-audit]=node-b)
declare -A namespace_of=([hms-gateway]=agency [fire-svc-0]=agency [fire-svc-1]=agency
    [dcaa-audit]=agency [rogue]=contractors)
declare -A address4=([hms-gateway]=10.20.1.20 [fire-svc-0]=10.20.1.10 [rogue]=10.20.1.66
    [fire-svc-1]=10.20.2.10 [dcaa-audit]=10.20.2.30 [audit-office]=192.168.15.20)
declare -A address6=([hms-gateway]=fd00:10:20:1::20 [fire-svc-0]=fd00:10:20:1::10
    [rogue]=fd00:10:20:1::66 [fire-svc-1]=fd00:10:20:2::10 [dcaa-audit]=fd00:10:20:2::30
    [audit-office]=fd00:192:168:15::20)
wrong=0 # cells that were not as expected

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' good=$'\e[32m' bad=$'\e[31m' faint=$'\e[2m' plain=$'\e[0m'
else
    bold='' good='' bad='' faint='' plain=''
fi

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$faint" "$*" "$plain"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# ---- the wires ------------------------------------------------------------------------------------

inside() { # NAMESPACE COMMAND...: like `ip netns exec`, but with the mounts of the host
    local name=$1
    shift
    nsenter --net="/run/netns/$prefix$name" -- "$@"
}

add_namespace() { # NAME
    ip netns add "$prefix$1"
    # No duplicate address detection: addresses work at once. Nodes forward.
    # shellcheck disable=SC2016  # the inner shell's loop
    inside "$1" sh -c 'cd /proc/sys/net
        echo 0 >ipv6/conf/default/accept_dad
        echo 1 >ipv4/ip_forward
        echo 1 >ipv6/conf/all/forwarding
        for d in default all; do
            echo 0 >ipv4/conf/$d/rp_filter
            echo 0 >ipv4/conf/$d/send_redirects
        done'
    ip -n "$prefix$1" link set lo up
}

add_fabric() { # the network between the nodes, and a host beyond it
    add_namespace fabric
    add_namespace audit-office
    ip -n "${prefix}fabric" -batch - <<EOF
link add lan type bridge mcast_snooping 0
addr add 172.20.0.1/24 dev lan
addr add fd00:172:20::1/64 dev lan nodad
link set lan up
link add office type veth peer name eth0 netns ${prefix}audit-office
addr add 192.168.15.1/24 dev office
addr add fd00:192:168:15::1/64 dev office nodad
link set office up
route add 10.20.1.0/24 via 172.20.0.11
route add 10.20.2.0/24 via 172.20.0.12
route add fd00:10:20:1::/64 via fd00:172:20::11
route add fd00:10:20:2::/64 via fd00:172:20::12
EOF
    ip -n "${prefix}audit-office" -batch - <<EOF
addr add 192.168.15.20/24 dev eth0
addr add fd00:192:168:15::20/64 dev eth0 nodad
link set eth0 up
route add default via 192.168.15.1
route add default via fd00:192:168:15::1
EOF
}

add_node() { # NAME NUMBER
    add_namespace "$1"
    ip -n "$prefix$1" -batch - <<EOF
link add uplink type veth peer name $1 netns ${prefix}fabric
addr add 172.20.0.1$2/24 dev uplink
addr add fd00:172:20::1$2/64 dev uplink nodad
link set uplink up
route add default via 172.20.0.1
route add default via fd00:172:20::1
EOF
    ip -n "${prefix}fabric" link set "$1" master lan up
}

add_bridge() { # on node-a; pods are its ports
    ip -n "${prefix}node-a" -batch - <<EOF
link add pods type bridge mcast_snooping 0
addr add 10.20.1.1/24 dev pods
addr add fd00:10:20:1::1/64 dev pods nodad
link set pods up
EOF
}

add_bridged_pod() { # NAME
    ip -n "${prefix}node-a" -batch - <<EOF
link add $1 type veth peer name eth0 netns $prefix$1
link set $1 master pods up
EOF
    ip -n "$prefix$1" -batch - <<EOF
addr add ${address4[$1]}/24 dev eth0
addr add ${address6[$1]}/64 dev eth0 nodad
link set eth0 up
route add default via 10.20.1.1
route add default via fd00:10:20:1::1
EOF
}

add_routed_pod() { # NAME
    ip -n "${prefix}node-b" -batch - <<EOF
link add $1 type veth peer name eth0 netns $prefix$1
addr add 169.254.1.1/32 dev $1
addr add fe80::1/64 dev $1 nodad
link set $1 up
route add ${address4[$1]}/32 dev $1 src 172.20.0.12
route add ${address6[$1]}/128 dev $1 src fd00:172:20::12
EOF
    ip -n "$prefix$1" -batch - <<EOF
addr add ${address4[$1]}/32 dev eth0
addr add ${address6[$1]}/128 dev eth0 nodad
link set eth0 up
route add 169.254.1.1 dev eth0
route add default via 169.254.1.1
route add default via fe80::1 dev eth0
EOF
}

# ---- what runs on them ----------------------------------------------------------------------------

background() { # COMMAND...: started in its own session, ended by down
    setsid "$@" </dev/null >>"$home/background.log" 2>&1 &
    echo $! >>"$home/pids"
    disown # else the shell reports its end
}

start_server() { # NAME: answers with its name; cgi-bin/ticker never stops answering
    local root=$home/www/$1
    mkdir -p "$root/cgi-bin"
    echo "$1" >"$root/index.html"
    cat >"$root/cgi-bin/ticker" <<'EOF'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
while echo tick; do sleep 0.05; done
EOF
    chmod +x "$root/cgi-bin/ticker"
    background nsenter --net="/run/netns/$prefix$1" -- busybox httpd -f -p 8080 -h "$root"
}

start_agent() { # NODE
    mkdir -p "$home/$1/bpffs" "$home/$1/run"
    mount -t bpf bpf "$home/$1/bpffs"
    background nsenter --net="/run/netns/$prefix$1" -- "$weir" --run-dir "$home/$1/run" agent \
        --node-name "$1" --bpffs "$home/$1/bpffs/weir" --manifests "$home/manifests"
}

weir_on() { # NODE ARGUMENTS...
    local node=$1
    shift
    inside "$node" "$weir" --run-dir "$home/$node/run" "$@"
}

eventually() { # COMMAND...: until it succeeds, at most 10 s
    local tries=200
    until "$@" >/dev/null 2>&1; do
        ((--tries > 0)) || return 1
        sleep 0.05
    done
}

up() {
    down
    mkdir -p "$home/manifests"
    cp -r "$here/agency/cluster" "$home/manifests/cluster"
    mkdir "$home/manifests/policies"
    local name
    add_fabric
    add_node node-a 1
    add_node node-b 2
    add_bridge
    for name in "${!node_of[@]}"; do
        add_namespace "$name"
        if [[ ${node_of[$name]} == node-a ]]; then add_bridged_pod "$name"; else add_routed_pod "$name"; fi
    done
    for name in "${ends[@]}"; do start_server "$name"; done
    for name in "${nodes[@]}"; do start_agent "$name"; done
    for name in "${nodes[@]}"; do
        eventually weir_on "$name" status || {
            cat "$home/background.log" >&2
            die "the agent of $name does not answer"
        }
    done
    for name in "${!node_of[@]}"; do
        weir_on "${node_of[$name]}" endpoint add "${namespace_of[$name]}/$name" \
            --netns "/run/netns/$prefix$name" >/dev/null
    done
}

down() {
    local pid name
    if [[ -r $home/pids ]]; then
        while read -r pid; do kill -- "-$pid" 2>/dev/null || true; done <"$home/pids"
    fi
    for name in $(ip netns list | awk -v prefix="$prefix" 'index($1, prefix) == 1 {print $1}'); do
        ip netns pids "$name" | xargs -r kill -9 2>/dev/null || true
        ip netns del "$name"
    done
    for name in "${nodes[@]}"; do
        if mountpoint -q "$home/$name/bpffs"; then umount "$home/$name/bpffs"; fi
    done
    rm -rf "$home"
}

# ---- who reaches whom -----------------------------------------------------------------------------

declare -A reached # "SOURCE DESTINATION" -> yes, no

probe() { # FAMILY: fills reached, all at once
    local family=$1 from to host pids=()
    reached=()
    rm -rf "$home/cells"
    mkdir "$home/cells"
    for from in "${ends[@]}"; do
        for to in "${ends[@]}"; do
            [[ $from != "$to" ]] || continue
            if [[ $family == 4 ]]; then host=${address4[$to]}; else host="[${address6[$to]}]"; fi
            inside "$from" timeout 1.2 busybox wget -q -O "$home/cells/$from $to" "http://$host:8080/" \
                2>/dev/null &
            pids+=($!)
        done
    done
    wait "${pids[@]}" || true
    for from in "${ends[@]}"; do
        for to in "${ends[@]}"; do
            if [[ "$(cat "$home/cells/$from $to" 2>/dev/null)" == "$to" ]]; then
                reached["$from $to"]=yes
            else
                reached["$from $to"]=no
            fi
        done
    done
}

declare -A rule_of # "SOURCE DESTINATION" -> the rule that denied it

read_rules() { # SINCE: from the flows of both nodes, for IPv4
    local node line
    declare -A name_of=()
    for node in "${ends[@]}"; do name_of[${address4[$node]}]=$node; done
    rule_of=()
    for node in "${nodes[@]}"; do
        while IFS=$'\t' read -r from to line; do
            [[ -n ${name_of[$from]:-} && -n ${name_of[$to]:-} ]] || continue
            rule_of["${name_of[$from]} ${name_of[$to]}"]=${line//$home\/manifests\//}
        done < <(weir_on "$node" flows --verdict deny --port 8080 --since "$1" -o json | jq -r '
            (.flow // .) | select(.source.address) |
            (if .egress.verdict == "deny" then ["egress", .egress.rule] else ["ingress", .ingress.rule] end)
                as [$side, $rule] |
            (if $rule.file == "" then "" else "\($rule.file):\($rule.line)" end) as $place |
            (if $rule.basis == "policy"
             then "\($rule.kind) \($rule.namespace)/\($rule.name), rule \($rule.index)"
             elif $rule.basis == "isolation"
             then "NetworkPolicy \($rule.isolated_by | join(", ")): isolated, and no rule matches"
             else $rule.basis end) as $what |
            [.source.address, .destination.address, "\($side)\t\($what)\t\($place)"] | @tsv' |
            sed 's/\\t/\t/g')
    done
}

expected() { # STAGE FAMILY SOURCE DESTINATION: prints yes or no
    local stage=$1 family=$2 from=$3 to=$4 office=no
    [[ $from == audit-office && $family == 4 ]] && office=yes # its IPv6 addresses are in no rule
    case $stage/$to in
    open/*) echo yes ;;
    */rogue | */audit-office)
        if [[ $stage != denied && $from == dcaa-audit ]]; then echo no; else echo yes; fi ;;
    gateway/fire-svc-*)
        if [[ $from == hms-gateway ]]; then echo yes; else echo no; fi ;;
    incident/fire-svc-*) echo "$office" ;;
    gateway/dcaa-audit | incident/dcaa-audit) echo "$office" ;;
    *) echo no ;;
    esac
}

check_family() { # STAGE FAMILY: counts the cells that are not as expected
    local from to want bad_cells=0
    for from in "${ends[@]}"; do
        for to in "${ends[@]}"; do
            [[ $from != "$to" ]] || continue
            want=$(expected "$1" "$2" "$from" "$to")
            if [[ ${reached["$from $to"]} != "$want" ]]; then
                printf '%sIPv%s %s -> %s: reached %s, expected %s%s\n' "$bad" "$2" "$from" "$to" \
                    "${reached["$from $to"]}" "$want" "$plain"
                bad_cells=$((bad_cells + 1))
            fi
        done
    done
    wrong=$((wrong + bad_cells))
}

print_matrix() { # rows connect to columns; denied cells name a line of the legend
    local from to rule letters=abcdefghijklmnopqrstuvwxyz cell
    declare -A letter_of=()
    local -a legend=()
    printf '%-14s' 'from \ to'
    printf '%-14s' "${ends[@]}"
    echo
    for from in "${ends[@]}"; do
        printf '%-14s' "$from"
        for to in "${ends[@]}"; do
            if [[ $from == "$to" ]]; then
                printf '%s%-14s%s' "$faint" - "$plain"
            elif [[ ${reached["$from $to"]} == yes ]]; then
                printf '%s%-14s%s' "$good" yes "$plain"
            else
                rule=${rule_of["$from $to"]:-}
                if [[ -z $rule ]]; then
                    cell='no (why?)'
                    wrong=$((wrong + 1))
                else
                    if [[ -z ${letter_of[$rule]:-} ]]; then
                        letter_of[$rule]=${letters:${#legend[@]}:1}
                        legend+=("$rule")
                    fi
                    cell="no  (${letter_of[$rule]})"
                fi
                printf '%s%-14s%s' "$bad" "$cell" "$plain"
            fi
        done
        echo
    done
    for rule in "${legend[@]}"; do
        printf '  (%s) %s\n' "${letter_of[$rule]}" "${rule//$'\t'/  }"
    done
}

show() { # STAGE TITLE
    local started
    title "$2"
    started=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
    probe 4
    read_rules "$started"
    print_matrix
    check_family "$1" 4
    probe 6
    check_family "$1" 6
}

# ---- the story ------------------------------------------------------------------------------------

revision() { weir_on "$1" status -o json | jq -e .revision; }

apply() { # FILE...: into the manifests' folder, and until both agents have it in force
    local file node
    declare -A before=()
    for node in "${nodes[@]}"; do before[$node]=$(revision "$node"); done
    for file in "$@"; do
        cp "$here/agency/$file" "$home/manifests/policies/.draft"
        mv "$home/manifests/policies/.draft" "$home/manifests/policies/$(basename "$file")"
    done
    for node in "${nodes[@]}"; do
        eventually newer_than "$node" "${before[$node]}" || die "$node did not take $*"
    done
    sleep 0.1
}

newer_than() { (($(revision "$1") > $2)); } # NODE REVISION

ticks() { wc -l <"$home/ticks"; }

start_stream() { # one long answer from fire-svc-0 to the gateway
    : >"$home/ticks"
    background nsenter --net="/run/netns/${prefix}hms-gateway" -- busybox wget -q -O "$home/ticks" \
        "http://${address4[fire-svc-0]}:8080/cgi-bin/ticker"
    eventually stream_runs || die "the stream from fire-svc-0 does not start"
}

stream_runs() { (($(ticks) > 3)); }

check_stream_is_cut() {
    local seen
    sleep 0.2
    seen=$(ticks)
    sleep 0.5
    if (($(ticks) == seen)); then
        echo "The gateway's open connection to fire-svc-0 stopped at once, after $seen lines."
    else
        printf '%sThe open connection of the gateway goes on: %s, then %s lines.%s\n' "$bad" "$seen" \
            "$(ticks)" "$plain"
        wrong=$((wrong + 1))
    fi
}

run() { # prints a command as a user would type it, and its output
    local node=$1
    shift
    printf '\n%s%s $ weir %s%s\n' "$bold" "$node" "$*" "$plain"
    weir_on "$node" "$@" || (($? == 1)) # the answer of explain may be "deny"
}

tell() {
    show open 'Before any policy: everybody reaches everybody.'
    apply policies/deny-all.yaml
    show denied 'deny-all.yaml: nobody reaches a pod of the agency.'
    apply policies/allow-from-gateway.yaml policies/dcaa-audit.yaml
    show gateway 'allow-from-gateway.yaml, dcaa-audit.yaml: fire-svc only from the gateway, the audit pool only from the audit office, and nothing out of it.'
    start_stream
    apply incident/allow-from-gateway.yaml
    check_stream_is_cut
    show incident 'Live change: the gateway is cut off, the audit office may look at fire-svc.'
    run node-a status
    run node-b flows --last 8
    run node-a explain agency/hms-gateway agency/fire-svc-0:8080
    run node-b explain "${address4[audit-office]}" agency/dcaa-audit:8080
}

hints() {
    cat <<EOF

The cluster stays up. To play with it:

  weir="$weir"
  export WEIR_RUN_DIR=$home/node-a/run       # or node-b
  sudo -E \$weir status
  sudo -E \$weir flows -f
  sudo ip netns exec ${prefix}rogue busybox wget -T 1 -O - http://${address4[fire-svc-0]}:8080/

Policies are in force when they are saved in $home/manifests/policies.
$0 --down removes everything.
EOF
}

check_host() {
    local tool
    [[ $EUID == 0 ]] || die 'needs root'
    for tool in ip nsenter busybox jq; do
        command -v "$tool" >/dev/null || die "needs $tool; ./dev deps installs it"
    done
    [[ -x $weir ]] || die "no $weir; ./dev build makes it"
}

main() {
    case ${1:-} in
    '' | --keep) ;;
    --down)
        [[ $EUID == 0 ]] || die 'needs root'
        down
        exit 0
        ;;
    *) die "unknown option $1: --keep leaves the cluster up, --down removes it" ;;
    esac
    check_host
    trap down EXIT
    trap 'exit 130' INT TERM
    note 'Two nodes and an office out of network namespaces, an agent on each node, a web server in each pod.'
    up
    tell
    if [[ ${1:-} == --keep ]]; then
        trap - EXIT
        hints
    fi
    ((wrong == 0)) || die "$wrong results were not as expected"
    title 'All as expected.'
}

main "$@"
