#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic of one pod that has to pass, and traffic that must not, until a file appears.

Run it in the pod's network namespace. The servers are agnhost's netexec: HTTP on 8080, a UDP echo on
8081. Prints a JSON object: what was sent, what was lost, what passed although it is denied.
"""
import argparse
import http.client
import json
import os
import socket
import struct
import threading
import time

HTTP_PORT, UDP_PORT = 8080, 8081
TOTAL_RETRANS = 100  # offset in struct tcp_info


class Report:
    """Counts, and the first few events that should not have been, with their time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.started = time.monotonic()
        self.counts = dict.fromkeys(
            ["datagrams", "datagrams_lost", "connections", "connections_failed", "syns_lost",
             "requests", "requests_failed", "denied", "passed"], 0)
        self.events = []

    def count(self, name):
        with self.lock:
            self.counts[name] += 1

    def wrong(self, name, event, at=None):
        with self.lock:
            self.counts[name] += 1
            if len(self.events) < 20:
                self.events.append(f"+{(at or time.monotonic()) - self.started:.3f} s {event}")

    def print(self):
        seconds = round(time.monotonic() - self.started, 1)
        print(json.dumps({"seconds": seconds, **self.counts, "events": self.events}))


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def retransmits(connection):
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TOTAL_RETRANS + 4)
    return struct.unpack_from("=I", info, TOTAL_RETRANS)[0]


def numbered_datagrams(host, report, ended):
    """Each has a number, and the server's answer has it too."""
    with socket.socket(family(host), socket.SOCK_DGRAM) as channel:
        channel.connect((host, UDP_PORT))
        waiting, number, closing = {}, 0, None
        while closing is None or (waiting and time.monotonic() < closing):
            if closing is None:
                number += 1
                report.count("datagrams")
                waiting[number] = time.monotonic()
                try:
                    channel.send(f"echo {number}".encode())
                except OSError:  # an ICMP error to an earlier one, which is missed below
                    pass
                if ended.is_set():
                    closing = time.monotonic() + 2
            pause_ends = time.monotonic() + 0.02
            while (left := pause_ends - time.monotonic()) > 0:
                channel.settimeout(left)
                try:
                    waiting.pop(int(channel.recv(64)), None)
                except (OSError, ValueError):
                    pass
        for lost, sent in waiting.items():
            report.wrong("datagrams_lost", f"datagram {lost} to {host} has no answer", at=sent)


def new_connections(host, report, ended):
    while not ended.wait(0.1):
        report.count("connections")
        try:
            with socket.create_connection((host, HTTP_PORT), timeout=5) as connection:
                if retransmits(connection):
                    report.wrong("syns_lost", f"a SYN to {host} had to be sent again")
                connection.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
                if not connection.recv(64):
                    raise OSError("closed without an answer")
        except OSError as error:
            report.wrong("connections_failed", f"connection to {host}: {error}")


def kept_connection(host, report, ended):
    connection = http.client.HTTPConnection(host, HTTP_PORT, timeout=5)
    while not ended.wait(0.05):
        report.count("requests")
        try:
            connection.request("GET", "/hostname")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            report.wrong("requests_failed", f"request to {host} on a kept connection: {error!r}")
            connection.close()


def denied_connections(host, report, ended):
    while not ended.wait(0.05):
        report.count("denied")
        try:
            with socket.create_connection((host, HTTP_PORT), timeout=0.2):
                report.wrong("passed", f"a connection to {host}")
        except OSError:
            pass


def denied_datagrams(host, report, ended):
    with socket.socket(family(host), socket.SOCK_DGRAM) as channel:
        channel.connect((host, UDP_PORT))
        channel.settimeout(0.05)
        while not ended.is_set():
            report.count("denied")
            try:
                channel.send(b"echo 1")
                channel.recv(64)
                report.wrong("passed", f"a datagram to {host}")
            except OSError:
                pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--until", required=True, metavar="FILE", help="ends when it exists")
    parser.add_argument("--allowed", action="append", default=[], metavar="ADDRESS")
    parser.add_argument("--denied", action="append", default=[], metavar="ADDRESS")
    arguments = parser.parse_args()
    report, ended = Report(), threading.Event()
    kinds = [(arguments.allowed, (numbered_datagrams, new_connections, kept_connection)),
             (arguments.denied, (denied_connections, denied_datagrams))]
    threads = [threading.Thread(target=kind, args=(host, report, ended))
               for hosts, functions in kinds for host in hosts for kind in functions]
    for thread in threads:
        thread.start()
    while not os.path.exists(arguments.until):
        time.sleep(0.05)
    ended.set()
    for thread in threads:
        thread.join()
    report.print()


main()
