/*
 * cute_net_x.h: what libcute_net offers beyond the original cute_net.h.
 *
 * The rules of cute_net.h hold here too. Structs begin with their size, set before a call, so that they can grow.
 * After the types come the functions: the version, the capacity of a server, addresses, keys, when messages leave,
 * channels, why connections end, statistics, counters, the log, simulated networks, wires.
 *
 *     cnx_counters_t counters;
 *     cnx_server_set_send_mode(server, CNX_SEND_BATCHED);
 *     cnx_server_send_many(server, snapshot, size, indices, count, false);
 *     cnx_server_flush(server);                   // each tick: update, pop, send, and at its end the flush
 *     counters.size = sizeof(counters);
 *     cnx_server_counters(server, &counters);     // counters.token_expired, counters.address_not_listed, ...
 */

#ifndef CUTE_NET_X_H
#define CUTE_NET_X_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cute_net.h"

/// The version of this header; `cnx_version` tells that of the library.
#define CNX_VERSION "1.0.0-alpha.1"

/// When messages leave.
typedef enum cnx_send_mode_t
{
    CNX_SEND_IMMEDIATE = 0, /* an unreliable packet inside the call, a reliable one at the next update */
    CNX_SEND_BATCHED   = 1, /* at the next flush, update, disconnect or stop, whichever is first */
    CNX_SEND_THREADED  = 2  /* the same, and a thread of the library makes a server's system calls */
} cnx_send_mode_t;

/// How a message of `cnx_client_send_with` and `cnx_server_send_with` is delivered.
typedef enum cnx_delivery_t
{
    CNX_DELIVERY_RELIABLE_ORDERED     = 0, /* once, complete, after every earlier such message of its channel */
    CNX_DELIVERY_RELIABLE_UNORDERED   = 1, /* once and complete, as soon as it is there */
    CNX_DELIVERY_UNRELIABLE           = 2, /* perhaps; a later one may come first */
    CNX_DELIVERY_UNRELIABLE_SEQUENCED = 3  /* perhaps, and never after a later such message of its channel */
} cnx_delivery_t;

/// Why a connection ended, or did not come about: what `cnx_disconnection_t::reason` says. 16 to 255 are the
/// program's own.
typedef enum cnx_disconnect_reason_t
{
    CNX_DISCONNECT_LEFT              = 0,   /* the client's program left */
    CNX_DISCONNECT_KICKED            = 1,   /* the server's program sent the client away */
    CNX_DISCONNECT_TIMED_OUT         = 2,   /* one end heard nothing of the other for too long */
    CNX_DISCONNECT_SERVER_STOPPED    = 3,   /* the server stopped */
    CNX_DISCONNECT_REPLACED          = 4,   /* the same client id connected anew, with a newer token */
    CNX_DISCONNECT_PROTOCOL_ERROR    = 5,   /* one end sent what no end may send */
    CNX_DISCONNECT_FIRST_OF_PROGRAM  = 16,
    CNX_DISCONNECT_LAST_OF_PROGRAM   = 255,
    CNX_DISCONNECT_DENIED_FULL       = 256, /* the server has no room for another client */
    CNX_DISCONNECT_DENIED_TOKEN_USED = 257, /* the token made a connection before */
    CNX_DISCONNECT_DENIED_STOPPING   = 258, /* the server is stopping */
    CNX_DISCONNECT_DENIED_EXPIRED    = 261, /* the token expired before a server let the client in */
    CNX_DISCONNECT_DENIED_ADDRESS    = 262, /* the token lists none of the server's addresses */
    CNX_DISCONNECT_DENIED_IN_USE     = 263  /* the token belongs to a connection that lives */
} cnx_disconnect_reason_t;

/// How much a log message matters.
typedef enum cnx_log_level_t
{
    CNX_LOG_ERROR   = 1, /* something does not work */
    CNX_LOG_WARNING = 2, /* something will not work as asked */
    CNX_LOG_INFO    = 3, /* something happened that happens rarely */
    CNX_LOG_DEBUG   = 4  /* everything else, among it every datagram dropped */
} cnx_log_level_t;

/// How a message travels. Set all to zero, then `size`, then what matters: zero is what `cn_client_send`
/// does with a reliable packet.
typedef struct cnx_send_options_t {
    /// Set it to `sizeof(cnx_send_options_t)`: the struct may grow with later versions.
    uint32_t size;
    /// Whether it must arrive, and in which order; a `CNX_DELIVERY_` value.
    cnx_delivery_t delivery;
    /// 0 to 8. Channels do not wait for each other. 0 is the channel of `cn_client_send` and
    /// `cn_server_send`; 1 to 8 are the channels 0 to 7 of `cf_client_send_msg` and `cf_server_send_msg`, on
    /// which messages of 0 bytes are messages too.
    int32_t channel;
    /// A number for the receiver's program on the channels 1 to 8. 0 on channel 0, which carries none.
    uint32_t id;
} cnx_send_options_t;

/// A message of the channels 1 to 8.
typedef struct cnx_message_t {
    /// Set it to `sizeof(cnx_message_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    uint32_t size;
    /// The channel it was sent on, 1 to 8.
    int32_t channel;
    /// The number its sender gave it.
    uint32_t id;
    /// The slot of the client that sent it; -1 for a message of the server.
    int32_t client_index;
    /// Its bytes. Never NULL, also where there are none; the program's until it frees them.
    void *data;
    /// How many, 0 or more.
    int32_t data_size;
    /// True if it was sent reliably.
    bool reliable;
} cnx_message_t;

/// How a connection ended, or an attempt at one.
typedef struct cnx_disconnection_t {
    /// Set it to `sizeof(cnx_disconnection_t)` before the call: the struct may grow with later versions. The
    /// call sets it to the bytes it filled.
    uint32_t size;
    /// Why: 16 to 255 are a program's own, the others are `CNX_DISCONNECT_` values. What the other end says is
    /// its word: a client may claim any number up to 255.
    int32_t reason;
    /// How many bytes of `data` the program that ended it passed along, 0 to 255.
    int32_t data_size;
    /// Those bytes, and zeros behind them: text of up to 255 bytes ends with a zero byte.
    uint8_t data[256];
} cnx_disconnection_t;

/// What a connection is like. "Lately" is the last four seconds, or since the connection began.
typedef struct cnx_statistics_t {
    /// Set it to `sizeof(cnx_statistics_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    uint32_t size;
    /// Bytes of the largest datagram that is sent, UDP payload: 1200, or more where the path takes more; always
    /// 1280 on CUTE 1.00.
    uint32_t datagram_bytes;
    /// Seconds of a round trip, without the time the other end held its answer back; smoothed over the last
    /// measurements, each of which counts an eighth. 0 before the first.
    double round_trip_seconds;
    /// Seconds by which measured round trips were longer or shorter than the mean of those just before, on
    /// average (the mean absolute deviation); one of three seconds ago weighs about a third of a new one. 0
    /// before the second measurement.
    double jitter_seconds;
    /// The share of the packets sent lately that did not arrive, 0 to 1. Those that carry acknowledgements
    /// alone do not count.
    double packet_loss;
    /// Kilobits (1000 bits) a second received lately, UDP payload.
    double incoming_kbps;
    /// Kilobits (1000 bits) a second sent lately, UDP payload.
    double outgoing_kbps;
    /// Bytes of the reliable messages that were sent and not acknowledged yet, 64 for each message counted.
    /// At 30 MiB no more are taken.
    uint64_t reliable_queued_bytes;
    /// Unreliable messages given up on this end since the connection began, because newer ones took the room
    /// that a rate left. What the network lost is not among them.
    uint64_t unreliable_dropped;
} cnx_statistics_t;

/// Datagrams received since the last start (of a server) or connect (of a client), and why some were
/// dropped. Each datagram counts once; what the system drops before, because of a full socket or a flood, does not.
typedef struct cnx_counters_t {
    /// Set it to `sizeof(cnx_counters_t)` before the call: the struct may grow with later versions. The call
    /// sets it to the bytes it filled.
    uint32_t size;
    /// All datagrams.
    uint64_t received;
    /// Dropped for any reason: the sum of the fields below.
    uint64_t dropped;
    /// No bytes, too few, or more than any datagram of the protocol has.
    uint64_t size_wrong;
    /// The first byte of no packet that this end receives.
    uint64_t type_unknown;
    /// Another protocol version.
    uint64_t version_unknown;
    /// For another application id.
    uint64_t application_unknown;
    /// A token made with another key pair.
    uint64_t key_unknown;
    /// Altered on the way, or made by somebody without the keys.
    uint64_t forged;
    /// The token has expired.
    uint64_t token_expired;
    /// The token lists none of the server's addresses.
    uint64_t address_not_listed;
    /// The token was used before, or an older one than its client's newest.
    uint64_t token_used;
    /// The token belongs to a live connection.
    uint64_t token_in_use;
    /// The server is full.
    uint64_t server_full;
    /// The cookie is too old, or was given to another address.
    uint64_t cookie_wrong;
    /// Came before, or too old to know.
    uint64_t replayed;
    /// Opened, and its content breaks the protocol.
    uint64_t malformed;
    /// No connection has its connection id.
    uint64_t connection_unknown;
    /// From an address that nothing is expected from.
    uint64_t address_unknown;
    /// Nothing of its kind is expected now.
    uint64_t unexpected;
    /// Its connection has ended.
    uint64_t connection_ended;
    /// Its client sends more than `max_incoming_bytes_per_second`.
    uint64_t rate_exceeded;
    /// More token packets come than are answered: from one network (IPv4 /24, IPv6 /56) ten a second for each
    /// client that fits, 512 at least; or at all.
    uint64_t token_flood;
    /// Its connection has used up its memory; CUTE 1.00 alone, where a sender can't know.
    uint64_t memory_exceeded;
} cnx_counters_t;

/// Receives a message of the library: `text` ends with a zero byte and is valid during the call. It may
/// come from any thread that uses a client or a server, during a call of the library.
typedef void (*cnx_log_callback_t)(void *user, cnx_log_level_t level, const char *text);

/// How bad a simulated network is, in one direction. Set all to zero, then `size`, then what matters: zeros are
/// a perfect network.
typedef struct cnx_simulator_t {
    /// Set it to `sizeof(cnx_simulator_t)`: the struct may grow with later versions.
    uint32_t size;
    /// The queue of the bottleneck: bytes that may wait for it. More are lost; with 0, all that come while it is busy.
    uint32_t queue_bytes;
    /// Seconds that every datagram takes, 0 to 3600, by the `dt` passed to update.
    double latency_seconds;
    /// Seconds that it may take longer, evenly spread, 0 to 3600; later ones then overtake it.
    double jitter_seconds;
    /// The chance of a datagram to be lost, 0 to 1.
    double drop_chance;
    /// The chance of a datagram to come once more, 0 to 1.
    double duplicate_chance;
    /// The chance of a datagram to take 50 ms longer, so that later ones overtake it, 0 to 1.
    double reorder_chance;
    /// A bottleneck: bytes a second that get through, UDP payload; the rest waits in its queue. 0 or less is none.
    double bytes_per_second;
} cnx_simulator_t;

/// Sends a datagram of `size` bytes, or loses it. What it returns is not looked at.
typedef int (*cnx_wire_send_t)(void *udata, const void *data, int size);

/// Reads the next whole datagram into `data`, which has room for `size` bytes. Returns how many it has, 0 if
/// none waits, less than 0 on a failure; after either, the client asks again at its next update.
typedef int (*cnx_wire_recv_t)(void *udata, void *data, int size);

/// A transport of the program's: datagrams of up to 1200 bytes, each of which may get lost, come twice or
/// out of order.
typedef struct cnx_client_wire_t {
    /// The program's own, passed to both functions.
    void *udata;
    /// Sends.
    cnx_wire_send_t send;
    /// Receives.
    cnx_wire_recv_t recv;
} cnx_client_wire_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// The library's version, such as "1.0.0-alpha.1": of what is linked, whatever header was compiled.
/// Never NULL, never freed.
const char *cnx_version(void);

/// Sets for how many clients a server has room, 1 to 65535, from its next start on. Memory is taken as
/// clients come.
///
/// Fails if `max_clients` is out of range, or if the server runs.
cn_result_t cnx_server_set_max_clients(cn_server_t *server, int max_clients);

/// Sets how many bytes a server keeps at most, from its next start on, of what its clients sent and the program has not
/// taken: 256 MiB unless set. Clients share it, but each may send 64 KiB of reliable and 64 KiB of unreliable messages
/// in any case. A message of the largest size fits, after others if it must. A reliable message counts as its length and
/// 64 bytes; many unfinished ones of less than 100 bytes, which no honest client sends, take up to three times that.
///
/// Fails if it is less than 32 MiB, which that takes, or if the server runs.
cn_result_t cnx_server_set_memory(cn_server_t *server,
                                  uint64_t bytes);

/// For how many clients a server has room; 0 for NULL.
int cnx_server_max_clients(cn_server_t *server);

/// How many clients are connected; 0 for NULL, and while the server does not run.
int cnx_server_client_count(cn_server_t *server);

/// Copies what a connected client's token carried for the program: `CN_CONNECT_TOKEN_USER_DATA_SIZE` (256)
/// bytes.
///
/// Fails if no such client is connected; nothing is written then.
cn_result_t cnx_server_client_user_data(cn_server_t *server, int client_index, uint8_t *user_data_out);

/// Also lets clients in whose token lists this address, with its port; see `cn_server_set_public_ip`.
///
/// Fails if the address can't be read.
cn_result_t cnx_server_add_public_address(cn_server_t *server, const char *address_and_port);

/// Where a server listens: after a start at port 0, which port that was. The IPv4 address of a server that
/// listens at two.
///
/// Fails if the server does not run; `endpoint_out` then has the type `CN_ADDRESS_TYPE_NONE`.
cn_result_t cnx_server_bound_endpoint(cn_server_t *server, cn_endpoint_t *endpoint_out);

/// Starts to listen at two addresses at once, one IPv4 and one IPv6 (`"0.0.0.0:5000"`, `"[::]:5000"`): one
/// server, whose slots players of both families share. Otherwise as `cn_server_start`.
///
/// Fails as `cn_server_start`, and if an address is not of its family; then the server does not run.
cn_result_t cnx_server_start_dual(cn_server_t *server,
                                  const char *ipv4_address_and_port,
                                  const char *ipv6_address_and_port);

/// Where a server listens, as `cnx_server_bound_endpoint`, for one of `cnx_server_start_dual` too: writes up
/// to `capacity` endpoints, IPv4 first.
///
/// Returns how many there are: 0, 1 or 2.
int cnx_server_bound_endpoints(cn_server_t *server, cn_endpoint_t *endpoints_out, int capacity);

/// Where a client's datagrams leave from.
///
/// Fails if the client is neither connected nor connecting; `endpoint_out` then has the type
/// `CN_ADDRESS_TYPE_NONE`.
cn_result_t cnx_client_bound_endpoint(cn_client_t *client, cn_endpoint_t *endpoint_out);

/// Makes a key pair as the original `cute_net.h` does: connections of tokens made with it speak CUTE 1.00,
/// which clients and servers of the original understand. Use `cn_crypto_sign_keygen` where there are none: CUTE
/// 2.00 is safer and needs fewer bytes. Does nothing if a pointer is NULL.
void cnx_crypto_sign_keygen_1_00(cn_crypto_sign_public_t *public_key, cn_crypto_sign_secret_t *secret_key);

/// Also lets those clients in whose tokens were made with this key pair, besides the pair the server was
/// created with: at once if the server runs, and after every start. A server can have 16 pairs, of CUTE 2.00
/// and of CUTE 1.00 (`cnx_crypto_sign_keygen_1_00`, or made by the original), and serves clients of both at one
/// port. So keys are replaced without a pause: add the new pair to the servers, make tokens with it, and remove
/// the old pair when its last token has expired.
///
/// Fails if a pointer is NULL, if the halves do not belong together, or if there are 16 pairs.
cn_result_t cnx_server_add_key(cn_server_t *server,
                               const cn_crypto_sign_public_t *public_key,
                               const cn_crypto_sign_secret_t *secret_key);

/// Lets in no more clients whose tokens were made with the pair of this public key, be it the pair that the server was
/// created with. Who is connected stays so. A server without any pair lets nobody in.
///
/// Fails if a pointer is NULL, or if the server has no such pair.
cn_result_t cnx_server_remove_key(cn_server_t *server, const cn_crypto_sign_public_t *public_key);

/// Sets when the messages of a server leave: `CNX_SEND_IMMEDIATE`, the default, `CNX_SEND_BATCHED` or
/// `CNX_SEND_THREADED`. A number that is none of them counts as `CNX_SEND_IMMEDIATE`.
///
/// Batched is the better mode for a game that sends a number of messages each tick: send them all, then
/// call `cnx_server_flush` at the end of the tick. They share datagrams, and one system call carries many.
///
/// Threaded is batched with a thread of the library, one for each address the server listens at, that makes these
/// system calls. The calls of the program then take about half the time, those of update and flush together. The
/// server is still used by one thread at a time. The thread handles no signals, calls nothing of the program's,
/// and ends with `cn_server_stop`, which waits until what was to leave has left, or with another mode. Where the
/// system gives no thread, it is as batched, and the log says so.
void cnx_server_set_send_mode(cn_server_t *server, cnx_send_mode_t mode);

/// Sets when the messages of a client leave; see `cnx_server_set_send_mode`.
void cnx_client_set_send_mode(cn_client_t *client, cnx_send_mode_t mode);

/// Sends one packet of 1 to 20971520 (20 MiB) bytes to the clients in `count` slots of `client_indices`, as
/// `cn_server_send` does for each, at less cost: the bytes are copied once for all, and in
/// `CNX_SEND_IMMEDIATE` unreliable packets leave with few system calls.
///
/// Every client that can take the packet gets it, whatever becomes of the others. Fails if one can't, and says
/// which and why of the first, and how many; or if a pointer is NULL, or the size or `count` out of range: then
/// nobody gets it. No clients are no error.
cn_result_t cnx_server_send_many(cn_server_t *server,
                                 const void *packet,
                                 int size,
                                 const int *client_indices,
                                 int count,
                                 bool send_reliably);

/// Sends everything that is queued for all clients, as far as the network takes it; the rest leaves with
/// later updates.
void cnx_server_flush(cn_server_t *server);

/// Sends everything that is queued, as far as the network takes it; the rest leaves with later updates.
void cnx_client_flush(cn_client_t *client);

/// When a client next has something to do by itself, for programs that update it besides their ticks, so that
/// a large transfer leaves evenly instead of in a burst at each tick, and a lost packet is sent again in time.
///
/// Returns seconds, counted from the last update, by the `dt` that were passed to it: a program that has
/// waited since then subtracts how long. 0 if an update would do something now, as after a send; never above
/// 1; below 0 if there is nothing to do at all, because the client is neither connected nor connecting, or
/// for NULL.
///
/// Only updates read what arrives, and nobody can tell when that is: update at every tick whatever this says.
double cnx_client_timeout(cn_client_t *client);

/// When a server next has something to do by itself; see `cnx_client_timeout`. Below 0 if it does not run, or
/// no client is left.
double cnx_server_timeout(cn_server_t *server);

/// Sends a message to the server as `options` say; the bytes are copied. An unreliable one leaves at once, a
/// reliable one with the next update or flush; see `cnx_client_set_send_mode`.
///
/// A message has at most 20971520 bytes (20 MiB), and on channel 0 at least 1. On each of the others 4 MiB may
/// wait, 64 bytes for each message counted; one on which nothing waits takes any message. The server's
/// program takes it with `cn_server_pop_event` on channel 0, and with `cnx_server_pop_message` (or
/// `cf_server_pop_msg`) on the others.
///
/// CUTE 1.00 has channel 0 alone, and there no `CNX_DELIVERY_UNRELIABLE_SEQUENCED`; what may come in any order
/// comes in order.
///
/// Fails if the client is not connected, `options` is NULL or holds what is out of range or the connection does
/// not have, the size is out of range, `data` is NULL with a size above 0, or too much waits already: then
/// nothing was queued.
cn_result_t cnx_client_send_with(cn_client_t *client,
                                 const void *data,
                                 int size,
                                 const struct cnx_send_options_t *options);

/// Sends a message to a client as `options` say. See `cnx_client_send_with`.
///
/// Fails as that, and if no such client is connected.
cn_result_t cnx_server_send_with(cn_server_t *server,
                                 const void *data,
                                 int size,
                                 int client_index,
                                 const struct cnx_send_options_t *options);

/// Sets the priority of a channel of a client, 0 to 8, for what it sends: any number, 0 unless set. Of what
/// waits the higher leaves first, of equal ones the lower channel; a lower one waits for as long as there is
/// something of a higher one. It counts for what is queued already, and for every later connection.
///
/// Fails if `client` is NULL or there is no such channel.
cn_result_t cnx_client_set_channel_priority(cn_client_t *client, int channel, int priority);

/// Sets the priority of a channel of a server, for what it sends to each of its clients, now and after every
/// start. See `cnx_client_set_channel_priority`.
///
/// Fails if `server` is NULL or there is no such channel.
cn_result_t cnx_server_set_channel_priority(cn_server_t *server, int channel, int priority);

/// Takes the next message that the server sent on the channels 1 to 8: reliable ones first, then unreliable
/// ones as they came. What came on channel 0 is taken with `cn_client_pop_packet`. What was received before a
/// connection ended can be taken until the next one begins. `cf_client_pop_msg` takes the same messages.
///
/// True if there was one: `message_out`, whose size was set, then describes it, and its bytes are the
/// program's until `cn_client_free_packet`. False if there was none; nothing is written then.
bool cnx_client_pop_message(cn_client_t *client, struct cnx_message_t *message_out);

/// Takes the next message that a client sent on the channels 1 to 8; see `cnx_client_pop_message`. What came
/// on channel 0 is taken with `cn_server_pop_event`. Messages of a client that is gone can still be taken,
/// before those of a later client with its slot. `cf_server_pop_msg` takes the same messages.
///
/// True if there was one: `message_out`, whose size was set, then describes it, and its bytes are the
/// program's until `cn_server_free_packet`. False if there was none; nothing is written then.
bool cnx_server_pop_message(cn_server_t *server, struct cnx_message_t *message_out);

/// Ends a connection as `cn_client_disconnect` does, and tells the server why: `reason` is 16 to 255, what the game
/// makes of them, `data` is 0 to 255 bytes of any kind, which are copied (NULL if `size` is 0). The server's program
/// reads both with `cnx_server_disconnection`. CUTE 1.00 carries neither: a server sees `CNX_DISCONNECT_LEFT` there.
///
/// Fails if `client` is NULL or neither connected nor connecting, or a value is out of range; then nothing happens.
cn_result_t cnx_client_disconnect_with(cn_client_t *client, int reason, const void *data, int size);

/// Sends a client away as `cn_server_disconnect_client` does with `notify_client`, and tells it why: its
/// program reads it with `cnx_client_disconnection`. Reason and bytes are as for `cnx_client_disconnect_with`.
///
/// On CUTE 1.00, which carries neither, a client sees `CNX_DISCONNECT_KICKED`. Fails if `server` is NULL, no
/// such client is connected, or a value is out of range; then nothing happens.
cn_result_t cnx_server_disconnect_client_with(cn_server_t *server,
                                              int client_index,
                                              int reason,
                                              const void *data,
                                              int size);

/// Tells why a client's last connection ended, or its last attempt at one. After a denial, `reason` says why the
/// last server denied it.
///
/// True if that is known. False while the client is connected or connecting, before its first connection, after
/// `cn_client_connect` failed, in a forked copy, for NULL, and without `disconnection_out->size`; nothing is written.
bool cnx_client_disconnection(cn_client_t *client, struct cnx_disconnection_t *disconnection_out);

/// Tells why a client is gone. Call it when `cn_server_pop_event` has given the client's
/// `CN_SERVER_EVENT_TYPE_DISCONNECTED`, before that of another client is popped.
///
/// True if the last disconnection that was popped is that of `client_index`. False otherwise, for NULL, and if
/// `disconnection_out->size` is not set; nothing is written then.
bool cnx_server_disconnection(cn_server_t *server, int client_index, struct cnx_disconnection_t *disconnection_out);

/// Reads what a client's connection is like.
///
/// Fails if the client is not connected, a pointer is NULL or `statistics_out->size` is not set; nothing is
/// written then.
cn_result_t cnx_client_statistics(cn_client_t *client, struct cnx_statistics_t *statistics_out);

/// Reads what a server's connection to a client is like.
///
/// Fails if no such client is connected, a pointer is NULL or `statistics_out->size` is not set; nothing is
/// written then.
cn_result_t cnx_server_client_statistics(cn_server_t *server,
                                         int client_index,
                                         struct cnx_statistics_t *statistics_out);

/// Reads the counters of a server; all zero if it never started.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
cn_result_t cnx_server_counters(cn_server_t *server, struct cnx_counters_t *counters_out);

/// Reads the counters of a client.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
cn_result_t cnx_client_counters(cn_client_t *client, struct cnx_counters_t *counters_out);

/// Sends the library's messages up to a level (0 or less counts as `CNX_LOG_ERROR`) to a function of the program's,
/// for all clients and servers, with `user`; NULL, the default, sends them nowhere. It must return (no exception, no
/// longjmp) and must not use the handle that it is called for; what happens inside it is not logged. Another thread
/// may still be in the old function when this returns. What an attacker can cause is said at `CNX_LOG_DEBUG` only,
/// among it every datagram dropped and why.
void cnx_set_log_callback(cnx_log_callback_t callback, cnx_log_level_t max_level, void *user);

/// Makes everything that a client sends and receives from now on go over simulated networks, for tests, in the
/// place of those of `cn_client_enable_network_simulator`; what is on its way, 64 MiB at most, stays so. `outgoing`
/// and `incoming` are copied; NULL is a perfect network, twice ends the simulation. The same `seed` loses, delays and
/// repeats the same datagrams of each direction.
///
/// Fails if `client` is NULL or a `size` is not set; then nothing changes. Numbers out of range count as the
/// nearest in range, what is not a number as 0.
cn_result_t cnx_client_set_simulator(cn_client_t *client,
                                     const struct cnx_simulator_t *outgoing,
                                     const struct cnx_simulator_t *incoming,
                                     uint64_t seed);

/// Makes everything that a server sends and receives from now on go over simulated networks. See
/// `cnx_client_set_simulator`; one network of each direction carries the datagrams of all clients.
cn_result_t cnx_server_set_simulator(cn_server_t *server,
                                     const struct cnx_simulator_t *outgoing,
                                     const struct cnx_simulator_t *incoming,
                                     uint64_t seed);

/// Makes a client's datagrams travel over functions of the program instead of UDP, from the next connection
/// on; a connection there is ends. `wire` is copied; NULL is UDP again. The servers of a token are then
/// names only: the wire leads to one. The functions are called during calls with this client alone, and must
/// not use it.
///
/// Fails if `client` or one of the functions is NULL.
cn_result_t cnx_client_set_wire(cn_client_t *client, const struct cnx_client_wire_t *wire);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CUTE_NET_X_H */

/* The same for languages that can't pass structs by value. */
#include "cute_net_pointers.h"
