"""A client of CUTE 2.00 written from docs/PROTOCOL.md alone: it makes and opens tokens, connects to a server of this
library, exchanges messages and leaves. What it can't do from that page is a fault of the page.

tests/spec.rs calls it; it exits with 0 if everything was as the page says, and else says what was not.
Needs the Python package `cryptography`.
"""

import json
import os
import socket
import struct
import sys
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

VERSION = b"CUTE 2.00\0"
DATA_TO_SERVER, DATA_TO_CLIENT, CHALLENGE, DENIED, RESPONSE = range(5)


# The terms at the top of the page: H is HChaCha20, and varints are those of RFC 9000.


def hchacha20(key, text):
    mask = 0xFFFFFFFF
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + text))

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & mask
            turned = state[z] ^ state[x]
            state[z] = (turned << bits | turned >> 32 - bits) & mask

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for row in range(4):
            quarter(row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def varint(value):
    for bits, (size, kind) in enumerate(((6, "B"), (14, ">H"), (30, ">I"), (62, ">Q"))):
        if value < 1 << size:
            return struct.pack(kind, value | bits << size)
    raise ValueError(value)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data), "a frame is cut short"
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, kind):
        return struct.unpack(kind, self.take(struct.calcsize(kind)))[0]

    def varint(self):
        size = 1 << (self.data[self.at] >> 6)
        return int.from_bytes(self.take(size), "big") & (1 << 8 * size - 2) - 1

    def rest(self):
        return self.take(len(self.data) - self.at)


# Sections 3 and 4: key pairs and tokens.


class KeyPair:
    def __init__(self, secret):
        self.public = hchacha20(secret[:32], b"CUTE2 public key")
        self.token_key = hchacha20(secret[:32], b"CUTE2 token key\0")
        assert secret[32:] == self.public, "the public half is stored in the secret one"

    def seal(self, nonce, associated, text):
        """XChaCha20-Poly1305: text and tag."""
        cipher = ChaCha20Poly1305(hchacha20(self.token_key, nonce[:16]))
        sealed = cipher.encrypt(bytes(4) + nonce[16:], text, associated)
        return sealed[:-16], sealed[-16:]

    def open(self, nonce, associated, text, tag):
        cipher = ChaCha20Poly1305(hchacha20(self.token_key, nonce[:16]))
        return cipher.decrypt(bytes(4) + nonce[16:], text + tag, associated)


def make_token(pair, application, client_id, address, creation, expiration, timeout=5):
    up, down, user = os.urandom(32), os.urandom(32), os.urandom(256)
    rest = VERSION + struct.pack("<QQ", application, creation) + up + down
    ip, port = address
    addresses = struct.pack("<B4sH", 1, socket.inet_aton(ip), port)
    public = b"\0" + VERSION + struct.pack("<QQII", application, expiration, timeout, 1) + addresses
    public = public.ljust(568, b"\0")
    secret = struct.pack("<Q", client_id) + up + down + user + struct.pack("<Q", creation) + bytes(56)
    nonce = os.urandom(24)
    sealed, tag = pair.seal(nonce, public, secret)
    token = rest + public + sealed + nonce + tag + pair.public[:8] + bytes(16)
    assert len(token) == 1114
    return token


def open_token(pair, token):
    rest, public, sealed, signature = token[:90], token[90:658], token[658:1050], token[1050:]
    nonce, tag, key_id, zeros = signature[:24], signature[24:40], signature[40:48], signature[48:]
    assert key_id == pair.public[:8] and zeros == bytes(16)
    secret = pair.open(nonce, public, sealed, tag)
    assert rest[:10] == VERSION and public[:11] == b"\0" + VERSION
    assert rest[10:18] == public[11:19], "one application id"
    assert rest[26:90] == secret[8:72], "the same keys"
    assert rest[18:26] == secret[328:336] and secret[336:] == bytes(56), "the same creation time"
    return struct.unpack("<Q", secret[:8])[0], secret[72:328]


# Section 5: the handshake. Section 6: packets.


class Refused(Exception):
    """Denied, with a reason."""


class Client:
    def __init__(self, application, token, server):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.1)
        self.socket.connect(server)
        self.prefix = VERSION + struct.pack("<Q", application)
        self.token = token[90:]
        self.token_keys = token[26:58], token[58:90]
        self.random = os.urandom(16)
        self.number = 0
        self.newest = -1
        self.received = set()
        self.acknowledged = set()
        self.accept = None
        self.messages = []
        self.fragments = {}
        self.closed = None

    def keys(self, cookie):
        """Client to server, server to client."""
        keys = (hchacha20(hchacha20(key, self.random), cookie) for key in self.token_keys)
        return [ChaCha20Poly1305(key) for key in keys]

    def nonce(self, domain, counter):
        return struct.pack("<IQ", domain, counter)

    def datagrams(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                yield self.socket.recv(2000)
            except socket.timeout:
                pass

    def connect(self):
        request = self.token + self.random
        assert len(request) == 1040
        for _ in range(30):
            self.socket.send(request)
            for datagram in self.datagrams(0.1):
                if datagram[0] == 0xD0 and len(datagram) == 33:
                    cookie = datagram[1:17]
                    up, down = self.keys(cookie)
                    nonce = self.nonce(CHALLENGE, 0)
                    assert down.decrypt(nonce, datagram[17:], self.prefix + datagram[:17]) == b""
                    return self.respond(request, cookie, up, down)
                if datagram[0] == 0xA0 and len(datagram) == 42:
                    self.denied(datagram)
        raise AssertionError("no challenge came")

    def denied(self, datagram):
        _, down = self.keys(datagram[1:17])
        counter = struct.unpack("<Q", datagram[17:25])[0]
        reason = down.decrypt(self.nonce(DENIED, counter), datagram[25:], self.prefix + datagram[:25])
        raise Refused(reason[0])

    def respond(self, request, cookie, up, down):
        self.up, self.down = up, down
        front = b"\xE0" + request + cookie
        response = front + up.encrypt(self.nonce(RESPONSE, 0), b"", self.prefix + front)
        assert len(response) == 1073
        for _ in range(30):
            self.socket.send(response)
            for datagram in self.datagrams(0.1):
                self.hear(datagram)
                if self.accept:
                    return self.send(b"\x07" + varint(1 << 20))  # CREDIT, in the first packet
        raise AssertionError("nothing was accepted")

    def send(self, frames):
        """Sends a packet with an ACK of everything that came and these frames."""
        header = struct.pack("<BII", 0x83, self.accept["connection"], self.number & 0xFFFFFFFF)
        sealed = self.up.encrypt(
            self.nonce(DATA_TO_SERVER, self.number), self.ack() + frames, self.prefix + header
        )
        self.socket.send(header + sealed)
        self.number += 1

    def ack(self):
        ranges = []
        for number in sorted(self.received, reverse=True):
            if ranges and ranges[-1][0] == number + 1:
                ranges[-1][0] = number
            else:
                ranges.append([number, number])
        ranges = ranges[:32]
        low, high = ranges[0]
        frame = b"\x02" + struct.pack("<H", high & 0xFFFF) + varint(0) + varint(high - low)
        frame += varint(len(ranges) - 1)
        for next_low, next_high in ranges[1:]:
            frame += varint(low - next_high - 2) + varint(next_high - next_low)
            low = next_low
        return frame

    def hear(self, datagram):
        if datagram[0] & 0xFC != 0x80:
            return
        size = (datagram[0] & 3) + 1
        header, sealed = datagram[: 1 + size], datagram[1 + size :]
        number = self.recover(int.from_bytes(header[1:], "little"), size)
        nonce = self.nonce(DATA_TO_CLIENT, number)
        frames = Reader(self.down.decrypt(nonce, sealed, self.prefix + header))
        assert number not in self.received, "a packet number came twice"
        self.received.add(number)
        self.newest = max(self.newest, number)
        while frames.at < len(frames.data):
            self.frame(frames)

    def recover(self, low, size):
        """RFC 9000 appendix A.3."""
        expected, window = self.newest + 1, 1 << 8 * size
        number = expected & ~(window - 1) | low
        if number <= expected - window // 2:
            return number + window
        if number > expected + window // 2 and number >= window:
            return number - window
        return number

    def frame(self, reader):
        kind = reader.number("B")
        if kind in (0x00, 0x01):  # PADDING, PING
            return
        if kind == 0x02:
            low16, _, first, count = reader.number("<H"), reader.varint(), reader.varint(), reader.varint()
            assert self.number < 0x10000, "this program sends few packets"
            top = low16
            self.acknowledged.update(range(top - first, top + 1))
            bottom = top - first
            for _ in range(count):
                gap, length = reader.varint(), reader.varint()
                top = bottom - gap - 2
                bottom = top - length
                self.acknowledged.update(range(bottom, top + 1))
            assert max(self.acknowledged) < self.number and min(self.acknowledged) >= 0
        elif kind == 0x03:
            names = ("connection", "index", "client_id", "max_clients", "timeout", "incoming")
            values = struct.unpack("<IIQIII", reader.take(28))
            self.accept = dict(zip(names, values))
            assert reader.varint() == 0, "features"
        elif kind == 0x04:
            reason, size = reader.number("B"), reader.number("B")
            self.closed = reason, reader.take(size)
        elif kind in (0x05, 0x06):
            reader.take(8)
        elif kind in (0x07, 0x08, 0x09):
            reader.varint()
        elif 0x10 <= kind < 0x50:
            self.message(kind, reader)
        elif kind >= 0x80:
            reader.take(reader.varint())
        else:
            raise AssertionError(f"frame {kind:#x}")

    def message(self, kind, reader):
        length = reader.varint() if kind & 1 else None
        channel = reader.number("B") if kind & 2 else 0
        if kind & 4:
            reader.varint()
        reliable, fragment = kind >> 4 in (2, 4), kind >> 4 in (3, 4)
        sequence = reader.number("<H") if reliable or fragment else None
        total, offset = (reader.varint(), reader.varint()) if fragment else (None, 0)
        content = reader.rest() if length is None else reader.take(length)
        if not fragment:
            self.deliver((channel, reliable, sequence, content))
            return
        assert offset % 32 == 0 and (len(content) % 32 == 0 or offset + len(content) == total)
        parts = self.fragments.setdefault((channel, reliable, sequence, total), {})
        parts[offset] = content
        if sum(map(len, parts.values())) == total:
            whole = b"".join(parts[at] for at in sorted(parts))
            self.deliver((channel, reliable, sequence, whole))

    def deliver(self, message):
        """A reliable message may come in two packets."""
        if not message[1] or message not in self.messages:
            self.messages.append(message)

    def until(self, done, what, seconds=5):
        """Hears and acknowledges until `done`."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, what
            for datagram in self.datagrams(0.05):
                self.hear(datagram)
            self.send(b"\x01")


def refusal(client):
    try:
        client.connect()
    except Refused as refused:
        return refused.args[0]
    raise AssertionError("it was let in")


def main():
    told = json.load(sys.stdin)
    pair = KeyPair(bytes.fromhex(told["secret"]))
    assert pair.public.hex() == told["public"]
    application, unix = told["application"], told["unix"]
    server = "127.0.0.1", told["port"]

    # A token that the library made.
    assert open_token(pair, bytes.fromhex(told["token"])) == (told["token_client_id"], bytes(256))

    token = make_token(pair, application, 4242, server, unix, unix + 60)
    assert open_token(pair, token)[0] == 4242
    client = Client(application, token, server)
    client.connect()
    assert client.accept["client_id"] == 4242 and client.accept["max_clients"] == 32, client.accept
    assert client.accept["timeout"] == 10 and client.accept["incoming"] == 0, client.accept

    # RELIABLE with a length, then UNRELIABLE to the end of the packet; a reliable message in two fragments.
    first = client.number
    client.send(b"\x21" + varint(8) + struct.pack("<H", 0) + b"reliable" + b"\x10" + b"unreliable")
    whole = bytes(range(256)) * 6
    for offset in (1024, 0):
        part = whole[offset : offset + 1024]
        head = b"\x40" + struct.pack("<H", 1) + varint(len(whole)) + varint(offset)
        client.send(head + part)
    client.until(lambda: {first, first + 1, first + 2} <= client.acknowledged, "it is acknowledged")

    # What the server says to that: each message back, and 5,000 bytes in fragments.
    client.until(lambda: len(client.messages) >= 4, "the answers come")
    reliable = sorted(m for m in client.messages if m[1])
    assert [m[3] for m in reliable] == [b"reliable", whole, b"Z" * 5000]
    assert [m[2] for m in reliable] == [0, 1, 2], "reliable sequences begin at 0"
    assert [m[3] for m in client.messages if not m[1]] == [b"unreliable"]

    # Its own token once more: in use with another random, and used after it left.
    again = Client(application, token, server)
    assert refusal(again) == 7
    client.send(b"\x04\x00\x03bye")
    time.sleep(0.3)
    assert refusal(Client(application, token, server)) == 1
    expired = make_token(pair, application, 1, server, unix - 60, unix)
    assert refusal(Client(application, expired, server)) == 5
    elsewhere = make_token(pair, application, 1, ("127.0.0.1", 1), unix, unix + 60)
    assert refusal(Client(application, elsewhere, server)) == 6

    # A packet altered on the way opens nothing.
    try:
        client.down.decrypt(client.nonce(DATA_TO_CLIENT, 0), bytes(40), client.prefix)
        raise AssertionError("nonsense opened")
    except InvalidTag:
        pass
    print("as the page says")


main()
