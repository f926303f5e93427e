#!/usr/bin/env python3
"""A bad network in user space: a wire that delays and drops packets, for kernels without netem.

    badwire.py NUMBER DELAY_MS JITTER_MS LOSS_PERCENT

Creates the TUN device `wireNUMBER` with the address 10.9.NUMBER.1. Each packet to 10.9.NUMBER.2 is returned with its source
and destination swapped, which keeps every checksum valid: a client that connects to 10.9.NUMBER.2 reaches a server in the
same network namespace. Both directions delay and lose packets alike, so a delay of 50 ms is a round trip of 100 ms.

Each line on standard input, `DELAY_MS JITTER_MS LOSS_PERCENT`, changes the wire; the end of the input removes it. Requires
root and a namespace of its own (`unshare --net`), so that the host's network is not affected.
"""

import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import sys
import time

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
# Number of packets read before due ones are written, so that neither direction waits for the other.
BATCH = 256
MOST_BYTES = 65_536


class Wire:
    def __init__(self, number, conditions):
        self.delay, self.jitter, self.loss = conditions
        self.under_way = []
        self.order = itertools.count()
        device = f"wire{number}"
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
        subprocess.run(["ip", "addr", "add", f"10.9.{number}.1/24", "dev", device], check=True)
        # A queue long enough that it drops nothing itself.
        subprocess.run(["ip", "link", "set", device, "txqueuelen", "20000", "up"], check=True)

    def take(self):
        for _ in range(BATCH):
            try:
                packet = os.read(self.tun, MOST_BYTES)
            except BlockingIOError:
                return
            is_ipv4 = packet[0] >> 4 == 4
            if not is_ipv4 or random.uniform(0, 100) < self.loss:
                continue
            source, destination = packet[12:16], packet[16:20]
            swapped = packet[:12] + destination + source + packet[20:]
            late = max(0.0, self.delay + random.uniform(-self.jitter, self.jitter)) / 1000
            heapq.heappush(self.under_way, (time.monotonic() + late, next(self.order), swapped))

    def deliver(self):
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            _, _, packet = heapq.heappop(self.under_way)
            try:
                os.write(self.tun, packet)
            except OSError:
                pass  # The kernel drops the packet: one more loss.

    def run(self):
        while True:
            wait = None
            if self.under_way:
                wait = max(0.0, self.under_way[0][0] - time.monotonic())
            readable, _, _ = select.select([self.tun, sys.stdin], [], [], wait)
            if sys.stdin in readable:
                line = sys.stdin.readline()
                if not line:
                    return
                self.delay, self.jitter, self.loss = map(float, line.split())
            if self.tun in readable:
                self.take()
            self.deliver()


if __name__ == "__main__":
    wire = Wire(int(sys.argv[1]), [float(word) for word in sys.argv[2:5]])
    print("ready", flush=True)
    wire.run()
