"""A game in a language that reads no C header: layouts and functions by hand, with ctypes.

    foreign.py path/to/libcute_net.so values      structs passed and returned by value
    foreign.py path/to/libcute_net.so pointers    their pointer forms
"""

import ctypes
import sys
import time
from ctypes import POINTER, Structure, Union, addressof, byref, c_bool, c_char_p, c_double, c_int
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, sizeof

APPLICATION, CLIENT_ID = 7, 2**64 - 1
CONNECTED, NEW_CONNECTION, DISCONNECTED, PACKET = 3, 0, 1, 2


class Result(Structure):
    _fields_ = [("code", c_int), ("details", c_char_p)]


class Key(Structure):
    _fields_ = [("key", c_uint8 * 32)]


class Secret(Structure):
    _fields_ = [("key", c_uint8 * 64)]


class Address(Union):
    _fields_ = [("ipv4", c_uint8 * 4), ("ipv6", c_uint16 * 8)]


class Endpoint(Structure):
    _fields_ = [("type", c_int), ("port", c_uint16), ("u", Address)]


class Config(Structure):
    _fields_ = [
        ("application_id", c_uint64),
        ("max_incoming", c_int),
        ("max_outgoing", c_int),
        ("connection_timeout", c_int),
        ("resend_rate", c_double),
        ("public_key", Key),
        ("secret_key", Secret),
        ("user_allocator_context", c_void_p),
    ]


class NewConnection(Structure):
    _fields_ = [("client_index", c_int), ("client_id", c_uint64), ("endpoint", Endpoint)]


class Payload(Structure):
    _fields_ = [("client_index", c_int), ("data", c_void_p), ("size", c_int)]


class What(Union):
    _fields_ = [("new_connection", NewConnection), ("disconnected", c_int), ("payload", Payload)]


class Event(Structure):
    _fields_ = [("type", c_int), ("u", What)]


TOKEN_ARGUMENTS = [c_uint64, c_uint64, POINTER(Key), POINTER(Key), c_uint64, c_uint32, c_int, POINTER(c_char_p)]
TOKEN_ARGUMENTS += [c_uint64, c_void_p, POINTER(Secret), c_void_p]

library = ctypes.CDLL(sys.argv[1])
by_value = sys.argv[2] == "values"


def declare(name, returns, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = returns, list(arguments)
    return function


def check(result):
    assert result.code == 0 and result.details is None, result.details


def with_result(name, *arguments):
    """A function that returns a result, in the form that was asked for."""
    if by_value:
        return declare(name, Result, *arguments)
    form = declare("cnx_" + name.split("_", 1)[1] + "_p", None, *arguments, c_void_p)

    def call(*values):
        result = Result(5, b"not written")
        form(*values, addressof(result))
        return result

    return call


start = with_result("cn_server_start", c_void_p, c_char_p)
connect = with_result("cn_client_connect", c_void_p, c_void_p)
send = with_result("cn_client_send", c_void_p, c_char_p, c_int, c_bool)
answer = with_result("cn_server_send", c_void_p, c_void_p, c_int, c_int, c_bool)
generate_token = with_result("cn_generate_connect_token", *TOKEN_ARGUMENTS)
bound_endpoint = with_result("cnx_server_bound_endpoint", c_void_p, c_void_p)
new_client = declare("cn_client_create", c_void_p, c_uint16, c_uint64, c_bool, c_void_p)
update_client = declare("cn_client_update", None, c_void_p, c_double, c_uint64)
update_server = declare("cn_server_update", None, c_void_p, c_double, c_uint64)
state = declare("cn_client_state_get", c_int, c_void_p)
pop_event = declare("cn_server_pop_event", c_bool, c_void_p, POINTER(Event))
pop_packet = declare("cn_client_pop_packet", c_bool, c_void_p, POINTER(c_void_p), POINTER(c_int), POINTER(c_bool))
free_of_server = declare("cn_server_free_packet", None, c_void_p, c_int, c_void_p)
free_of_client = declare("cn_client_free_packet", None, c_void_p, c_void_p)

assert (sizeof(Result), sizeof(Endpoint), sizeof(Config), sizeof(Event)) == (16, 24, 136, 48)

public, secret = Key(), Secret()
library.cn_crypto_sign_keygen(byref(public), byref(secret))
if by_value:
    config = declare("cn_server_config_defaults", Config)()
    up, down = declare("cn_crypto_generate_key", Key)(), library.cn_crypto_generate_key()
else:
    config, up, down = Config(), Key(), Key()
    declare("cnx_server_config_defaults_p", None, c_void_p)(addressof(config))
    for key in (up, down):
        declare("cnx_crypto_generate_key_p", None, c_void_p)(addressof(key))
assert config.connection_timeout == 10 and bytes(up.key) != bytes(down.key)
config.application_id, config.public_key, config.secret_key = APPLICATION, public, secret
if by_value:
    server = declare("cn_server_create", c_void_p, Config)(config)
else:
    server = declare("cnx_server_create_p", c_void_p, c_void_p, c_int)(addressof(config), 32)
check(start(server, b"127.0.0.1:0"))

endpoint, text = Endpoint(), ctypes.create_string_buffer(64)
check(bound_endpoint(server, addressof(endpoint)))
if by_value:
    declare("cn_endpoint_to_string", None, Endpoint, c_char_p, c_int)(endpoint, text, 64)
else:
    declare("cnx_endpoint_to_string_p", None, c_void_p, c_char_p, c_int)(addressof(endpoint), text, 64)
assert text.value == b"127.0.0.1:%d" % endpoint.port and endpoint.port != 0

now = int(time.time())
token, addresses = (c_uint8 * 1114)(), (c_char_p * 1)(text.value)
check(generate_token(APPLICATION, now, up, down, now + 60, 5, 1, addresses, CLIENT_ID, None, secret, token))
client = new_client(0, APPLICATION, False, None)
check(connect(client, addressof(token)))
told, heard, event = [], [], Event()


def tick():
    update_client(client, 1 / 60, now)
    update_server(server, 1 / 60, now)
    while pop_event(server, byref(event)):
        if event.type == NEW_CONNECTION:
            told.append((event.u.new_connection.client_index, event.u.new_connection.client_id))
        elif event.type == PACKET:
            payload = event.u.payload
            told.append(ctypes.string_at(payload.data, payload.size))
            check(answer(server, payload.data, payload.size, payload.client_index, True))
            free_of_server(server, payload.client_index, payload.data)
        else:
            told.append("gone")
    packet, size, reliably = c_void_p(), c_int(), c_bool()
    while pop_packet(client, byref(packet), byref(size), byref(reliably)):
        heard.append((ctypes.string_at(packet, size.value), reliably.value))
        free_of_client(client, packet)


for _ in range(5):
    tick()
assert state(client) == CONNECTED
check(send(client, b"hello", 5, True))
for _ in range(5):
    tick()
refused = send(client, b"", 0, True)
assert refused.code == -1 and refused.details.startswith(b"Empty packets are no"), refused.details
declare("cn_client_destroy", None, c_void_p)(client)
update_server(server, 1 / 60, now)
while pop_event(server, byref(event)):
    told.append("gone" if event.type == DISCONNECTED else event.type)
declare("cn_server_destroy", None, c_void_p)(server)
assert told == [(0, CLIENT_ID), b"hello", "gone"], told
assert heard == [(b"hello", True)], heard
