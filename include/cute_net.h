/*
 * cute_net.h: secure client and server networking for games over UDP.
 *
 * Link with libcute_net. The functions are those of the original cute_net.h by Randy Gaul; what the
 * original does not have is in cute_net_x.h.
 *
 * HOW A CONNECTION COMES ABOUT
 *
 * A connect token lets one player connect once. Your web service makes it (`cn_generate_connect_token`)
 * for a player who has logged in, and hands it over HTTPS or the like. The player's client gives it to
 * `cn_client_connect`, which shows it to the game servers it lists, one after another, until one lets the
 * client in. Nobody without a token gets an answer from a server, and nothing on the way can be read or
 * altered.
 *
 *     web service ---- connect token, over HTTPS ----> client <---- UDP ----> server
 *         |                                                                     |
 *         +------------- secret key of cn_crypto_sign_keygen -------------------+
 *
 * A SERVER THAT SENDS BACK WHAT IT GETS
 *
 *     cn_server_config_t config = cn_server_config_defaults();
 *     config.application_id = 42;
 *     config.public_key = public_key;    // both of cn_crypto_sign_keygen, made once and stored
 *     config.secret_key = secret_key;
 *     cn_server_t* server = cn_server_create(config);
 *     cn_result_t started = cn_server_start(server, "0.0.0.0:5000");
 *     if (cn_is_error(started)) { puts(started.details); return; }
 *     while (running()) {    // each tick
 *         cn_server_event_t e;
 *         cn_server_update(server, seconds_since_last_tick(), unix_seconds());
 *         while (cn_server_pop_event(server, &e)) {
 *             int index = e.u.payload_packet.client_index;
 *             if (e.type != CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) continue;
 *             cn_server_send(server, e.u.payload_packet.data, e.u.payload_packet.size, index, true);
 *             cn_server_free_packet(server, index, e.u.payload_packet.data);
 *         }
 *     }
 *     cn_server_destroy(server);
 *
 * AND ITS CLIENT
 *
 *     cn_client_t* client = cn_client_create(0, 42, false, NULL);
 *     cn_result_t begun = cn_client_connect(client, connect_token);    // 1114 bytes of the web service
 *     if (cn_is_error(begun)) { puts(begun.details); return; }
 *     while (cn_client_state_get(client) > CN_CLIENT_STATE_DISCONNECTED) {    // each tick
 *         void* packet;
 *         int size;
 *         cn_client_update(client, seconds_since_last_tick(), unix_seconds());
 *         while (cn_client_pop_packet(client, &packet, &size, NULL)) cn_client_free_packet(client, packet);
 *         if (cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED) cn_client_send(client, "hello", 6, true);
 *     }
 *     puts(cn_client_state_string(cn_client_state_get(client)));    // why it ended
 *     cn_client_destroy(client);
 *
 * RULES
 *
 * - Results: `cn_is_error(result)` tells a failure, `result.details` says why, in words for people.
 * - NULL, a client that has left, a size out of range: an error result, 0, false, or nothing happens; never a
 *   crash. What can't be checked is the program's business: buffers as large as said, handles not yet destroyed.
 * - Strings and buffers passed in are copied. What `cn_x_create` gives goes back to `cn_x_destroy`, a packet to
 *   the function beside the one that gave it, once; `details` and other strings stay the library's.
 * - Time: the library's only clock is the sum of the `dt` passed to update, seconds by a clock that does not jump.
 *   Below 0, or not a number, counts as 0. The unix time counts for connect tokens alone.
 * - Updates: only they receive, acknowledge and resend, and keep a connection alive. Without one for the
 *   server's `connection_timeout` (10 s) the other end takes the program for gone.
 * - Pop in every tick until there is nothing more. A program that does not, say while it loads, loses nothing reliable:
 *   what it has no room for (32 MiB a connection) waits at its sender. Unreliable packets may get lost then.
 * - Threads: one thread uses a handle at a time; different handles may be used by different threads, and
 *   functions without a handle, and those that free packets, by any thread at any time.
 * - Callbacks: a function of the program that the library calls must return to it (no exception, no longjmp),
 *   and must not use the client or server that called it.
 * - Fork: a forked process must not go on with its parent's connections, and the library sees to it that it
 *   doesn't: in the copy, clients are disconnected and servers are empty. A server's socket belongs to both;
 *   let one of them go on with it.
 * - Memory: packets and handles come from `malloc`'s family or from the program's allocator
 *   (`cnx_set_allocator`, or `CN_ALLOC` and `CN_FREE` defined with `CUTE_NET_IMPLEMENTATION`), aligned as that
 *   aligns them. If the process has no memory left for anything else, the library ends it.
 */

#ifndef CN_NET_H
#define CN_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#    define CN_INLINE inline
#else
#    define CN_INLINE static inline
#endif

/// Bytes of a connect token.
#define CN_CONNECT_TOKEN_SIZE 1114
/// Bytes of the program's own that a connect token carries.
#define CN_CONNECT_TOKEN_USER_DATA_SIZE 256

/// Clients that a server of `cn_server_create` has room for, 1 to 65535. A program that wants another
/// number defines it before it includes this header, in every file that calls `cn_server_create`.
#ifndef CN_SERVER_MAX_CLIENTS
#    define CN_SERVER_MAX_CLIENTS 32
#    define CNX_SERVER_MAX_CLIENTS_UNSET
#endif

#define CN_ERROR_SUCCESS (0)
#define CN_ERROR_FAILURE (-1)

/// Leaves the calling function with the result of `x` if that is an error.
#define CN_RETURN_IF_ERROR(x) \
    do { cn_result_t cnx_result_ = (x); if (cn_is_error(cnx_result_)) return cnx_result_; } while (0)

/// What an endpoint holds.
typedef enum cn_address_type_t
{
    CN_ADDRESS_TYPE_NONE = 0, /* no address */
    CN_ADDRESS_TYPE_IPV4 = 1, /* `u.ipv4` */
#ifndef CUTE_NET_NO_IPV6
    CN_ADDRESS_TYPE_IPV6 = 2  /* `u.ipv6` */
#endif
} cn_address_type_t;

/// An address and a port. A program that defines `CUTE_NET_NO_IPV6` sees IPv4 alone, and has IPv6
/// addresses refused where it passes one; the layout stays the same.
typedef struct cn_endpoint_t
{
    cn_address_type_t type;
    uint16_t port;            /* host byte order */
    union
    {
        uint8_t ipv4[4];  /* as written: 127.0.0.1 is { 127, 0, 0, 1 } */
#ifndef CUTE_NET_NO_IPV6
        uint16_t ipv6[8]; /* the groups as written, each in host byte order */
#else
        uint16_t cnx_reserved[8];
#endif
    } u;
} cn_endpoint_t;

/// Where a client stands.
typedef enum cn_client_state_t
{
    CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED        = -6, /* the token expired before a server let the client in */
    CN_CLIENT_STATE_INVALID_CONNECT_TOKEN        = -5, /* the token given to cn_client_connect can't be used */
    CN_CLIENT_STATE_CONNECTION_TIMED_OUT         = -4, /* nothing was heard from the server for its timeout */
    CN_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT = -3, /* the last server stopped answering half-way */
    CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT = -2, /* the last server did not answer */
    CN_CLIENT_STATE_CONNECTION_DENIED            = -1, /* the last server refused the client, e.g. it is full */
    CN_CLIENT_STATE_DISCONNECTED                 = 0,  /* not connected, and nothing went wrong */
    CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST   = 1,  /* asking a server */
    CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE   = 2,  /* answering its challenge */
    CN_CLIENT_STATE_CONNECTED                    = 3   /* connected: packets can be sent */
} cn_client_state_t;

/// What a server event tells.
typedef enum cn_server_event_type_t
{
    CN_SERVER_EVENT_TYPE_NEW_CONNECTION = 0, /* `u.new_connection` */
    CN_SERVER_EVENT_TYPE_DISCONNECTED   = 1, /* `u.disconnected` */
    CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET = 2  /* `u.payload_packet` */
} cn_server_event_type_t;

/// Something that happened to a client.
typedef struct cn_server_event_t
{
    cn_server_event_type_t type;
    union
    {
        /* A client connected; packets can be sent to it. */
        struct
        {
            int client_index;       /* its slot: nobody else's until its disconnection is popped */
            uint64_t client_id;     /* the client id of its token */
            cn_endpoint_t endpoint; /* where it is */
        } new_connection;

        /* A client is gone; from now on its slot may have another. */
        struct
        {
            int client_index;
        } disconnected;

        /* A packet of a client came. */
        struct
        {
            int client_index;
            void* data;             /* give it back to cn_server_free_packet */
            int size;               /* bytes of `data`, at least 1 */
        } payload_packet;
    } u;
} cn_server_event_t;

/// A client: connects to one server at a time, sends it packets and receives its.
///
/// Made by `cn_client_create`, given back by `cn_client_destroy`. One thread uses a client at a time;
/// different clients may be used by different threads.
typedef struct cn_client_t cn_client_t;

/// A server: lets clients with connect tokens in, receives their packets and sends them packets.
///
/// Made by `cn_server_create`, given back by `cn_server_destroy`. One thread uses a server at a time;
/// different servers may be used by different threads.
typedef struct cn_server_t cn_server_t;

/// What a call came to.
typedef struct cn_result_t {
    /// `CN_ERROR_SUCCESS` (0) or `CN_ERROR_FAILURE` (-1).
    int code;
    /// On failure, a text that says what was wrong and what to do: never NULL, unchanged until the next
    /// call of this library that fails on the same thread. On success, NULL.
    const char *details;
} cn_result_t;

/// A secret that seals the packets of one direction of one connection.
typedef struct cn_crypto_key_t {
    /// The bytes of the key.
    uint8_t key[32];
} cn_crypto_key_t;

/// The half of a key pair that may be shown.
typedef struct cn_crypto_sign_public_t {
    /// The bytes of the key.
    uint8_t key[32];
} cn_crypto_sign_public_t;

/// The half of a key pair that only the web service and the game servers know. Whoever has it can mint
/// tokens.
typedef struct cn_crypto_sign_secret_t {
    /// The bytes of the key.
    uint8_t key[64];
} cn_crypto_sign_secret_t;

/// How a server is set up. Start from `cn_server_config_defaults`.
typedef struct cn_server_config_t {
    /// Names the game; the same number as in connect tokens and clients. Default 0.
    uint64_t application_id;
    /// Bytes a second taken from each client, UDP payload. A client of this library keeps to it; what another
    /// sends beyond it is dropped. 0 or less is no limit, below 1000 counts as 1000. Default 0.
    int max_incoming_bytes_per_second;
    /// Bytes a second sent to each client, UDP payload. What is reliable waits; of what is not, the newest is
    /// sent. 0 or less is no limit, below 1000 counts as 1000. Default 0.
    int max_outgoing_bytes_per_second;
    /// Seconds of silence after which a client counts as gone; 0 or less is never. Default 10.
    int connection_timeout;
    /// Seconds a lost reliable packet waits at most to be sent again, where the round trip allows it;
    /// the wait itself follows the round trip. Below 0 counts as 0. Default 0.1.
    double resend_rate;
    /// The half of the key pair that may be shown. Default zeros: set it.
    struct cn_crypto_sign_public_t public_key;
    /// The half that is kept: the one that connect tokens are made with. Default zeros: set it.
    struct cn_crypto_sign_secret_t secret_key;
    /// Passed to the program's allocator (`cnx_set_allocator`); may be NULL. Default NULL.
    void *user_allocator_context;
} cn_server_config_t;

/// Gives `size` bytes, aligned as `malloc` aligns them, or NULL. `ctx` is the `user_allocator_context` of
/// the client or server that the memory is for.
typedef void *(*cnx_alloc_t)(size_t size, void *ctx);

/// Takes back what a `cnx_alloc_t` gave, with the same `ctx`.
typedef void (*cnx_free_t)(void *memory, void *ctx);

/// A signature. No function of the library takes or gives one; the type is there for programs that name
/// it.
typedef struct cn_crypto_signature_t {
    /// The bytes of the signature.
    uint8_t bytes[64];
} cn_crypto_signature_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Reads a numeric address: `203.0.113.7`, `203.0.113.7:5000`, `2001:db8::7` or `[2001:db8::7]:5000`.
/// A missing port is 0; without brackets the end of an IPv6 address is never one. Names such as "localhost" are
/// not resolved.
///
/// Returns 0, or -1 if the text is not an address or a pointer is NULL; `endpoint` then has the type
/// `CN_ADDRESS_TYPE_NONE`.
int cn_endpoint_init(cn_endpoint_t *endpoint, const char *address_and_port_string);

/// Writes an endpoint as text, the way `cn_endpoint_init` reads it: without the port where it is 0.
/// "INVALID ADDRESS" for an endpoint without an address. At most `buffer_size` bytes are written, the
/// last of them a zero; 48 always suffice. Does nothing if `buffer` is NULL or has no room.
void cn_endpoint_to_string(cn_endpoint_t endpoint, char *buffer, int buffer_size);

/// 1 if both endpoints name the same address and port, else 0. An endpoint without an address equals
/// none, not even another such.
int cn_endpoint_equals(cn_endpoint_t a, cn_endpoint_t b);

/// True if `result` is a failure.
bool cn_is_error(struct cn_result_t result);

/// A failure with a text of the program's own; `details` must outlive the result.
struct cn_result_t cn_error_failure(const char *details);

/// A success.
struct cn_result_t cn_error_success(void);

/// Does nothing and succeeds: the library needs no initialisation. Bindings to the original call it.
struct cn_result_t cn_init(void);

/// Makes a key from the operating system's random bytes. Each connection needs two fresh ones, for
/// `cn_generate_connect_token`. If the system has no random bytes, the process is ended, here and in the next
/// two functions: keys that anybody could guess are worse.
struct cn_crypto_key_t cn_crypto_generate_key(void);

/// Fills `data` with `byte_count` random bytes of the operating system's, new ones on every call and in
/// every forked process. Does nothing if `data` is NULL or `byte_count` is not positive.
void cn_crypto_random_bytes(void *data, int byte_count);

/// Makes a key pair. The secret half goes to the web service that hands out connect tokens and to the
/// game servers, and nowhere else.
///
/// The pair's kind chooses the protocol: connections of tokens made with it speak CUTE 2.00. Does nothing
/// if a pointer is NULL.
void cn_crypto_sign_keygen(struct cn_crypto_sign_public_t *public_key, struct cn_crypto_sign_secret_t *secret_key);

/// Makes a connect token: what a player's client needs to connect, and what it shows to servers. Made by
/// the web service, handed to one player over a private channel such as HTTPS, good for one connection.
///
/// - `application_id`: names the game; the same number as on client and server.
/// - `creation_timestamp`: unix seconds now. A newer token of a client id may take over its connection.
/// - `client_to_server_key`, `server_to_client_key`: two fresh keys of `cn_crypto_generate_key`.
/// - `expiration_timestamp`: unix seconds from which on servers refuse the token; later than
///   `creation_timestamp`. A connection that was made lives on. The log warns of one beyond 100,000,000,000, which most
///   likely is in milliseconds: servers remember a used token until then.
/// - `handshake_timeout`: seconds a client spends asking each server, and again waiting for its answer; with 0
///   it gives up at its first update.
/// - `address_count`, `address_list`: 1 to 32 servers, tried in this order, each as `cn_endpoint_init`
///   reads it, with its port, as players reach it: `0.0.0.0` is the player's own machine. 533 bytes of addresses
///   fit: 7 for each IPv4, 19 for each IPv6 address, so at most 28 IPv6 addresses.
/// - `client_id`: names the player; all 64 bits may be used.
/// - `user_data`: `CN_CONNECT_TOKEN_USER_DATA_SIZE` (256) bytes for the server, sealed; or NULL.
/// - `shared_secret_key`: the secret half of a pair of `cn_crypto_sign_keygen`.
/// - `token_ptr_out`: `CN_CONNECT_TOKEN_SIZE` (1114) bytes. Zeroed if the call fails.
///
/// Fails if a pointer but `user_data` is NULL, an address can't be read, they don't fit, the expiration is not
/// later than the creation, or `shared_secret_key` is no key; `details` says which. Needs no client or server.
struct cn_result_t cn_generate_connect_token(uint64_t application_id,
                                             uint64_t creation_timestamp,
                                             const struct cn_crypto_key_t *client_to_server_key,
                                             const struct cn_crypto_key_t *server_to_client_key,
                                             uint64_t expiration_timestamp,
                                             uint32_t handshake_timeout,
                                             int address_count,
                                             const char **address_list,
                                             uint64_t client_id,
                                             const uint8_t *user_data,
                                             const struct cn_crypto_sign_secret_t *shared_secret_key,
                                             uint8_t *token_ptr_out);

/// Makes a client that is not connected.
///
/// - `port`: the port to send from; 0 lets the system choose, which is right unless a firewall says
///   otherwise.
/// - `application_id`: names the game; the same number as in connect tokens and on the server.
/// - `use_ipv6`: accepted and not needed: the client opens what each server of its token needs.
/// - `user_allocator_context`: passed to the program's allocator (`cnx_set_allocator`); may be NULL.
///
/// Returns NULL only if the program's allocator gave none. Destroy the client with `cn_client_destroy`.
struct cn_client_t *cn_client_create(uint16_t port,
                                     uint64_t application_id,
                                     bool use_ipv6,
                                     void *user_allocator_context);

/// Disconnects the client if it is connected, as `cn_client_disconnect` does, and frees it. Packets it
/// gave remain the program's, to be freed with `cn_client_free_packet` of any client, or NULL. NULL is
/// ignored.
void cn_client_destroy(struct cn_client_t *client);

/// Begins to connect to the servers that a connect token lists, one after another. `cn_client_update`
/// then does the connecting; `cn_client_state_get` tells how far it is: `CN_CLIENT_STATE_CONNECTED`, or
/// below 0 when no server let the client in.
///
/// `connect_token` has `CN_CONNECT_TOKEN_SIZE` (1114) bytes and is copied. A client that is connected is
/// disconnected first; whatever happened to it before does not matter.
///
/// Fails if the token is damaged or for another application id, or had expired by the time of the last
/// update of an earlier attempt (the state is then `CN_CLIENT_STATE_INVALID_CONNECT_TOKEN`), or if no
/// socket can be opened. A token that turns out to have expired at the next update ends in
/// `CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED`. A failure leaves the client disconnected; packets that were
/// not popped are gone. Fails too if a pointer is NULL: then nothing happens.
struct cn_result_t cn_client_connect(struct cn_client_t *client, const uint8_t *connect_token);

/// Ends the connection, or the attempt at one: the server is told, and the socket is closed. The state becomes
/// `CN_CLIENT_STATE_DISCONNECTED`. What was received can still be popped. Does nothing to a client that is
/// neither connected nor connecting.
///
/// What is queued leaves before, as far as it fits on the way at once (some 64 KiB, on CUTE 1.00 less), and is
/// not sent again if it gets lost. If all of it must arrive, update until `reliable_queued_bytes` of
/// `cnx_client_statistics` is 0, then disconnect.
void cn_client_disconnect(struct cn_client_t *client);

/// Receives, connects, resends and sends. Call it once a tick, whatever the state: ten times a second at
/// least. It never waits, and reads for a quarter of `dt` at most, or 2 ms if that is more: the rest waits.
///
/// - `dt`: seconds since the last call, 0 or more. The library has no other clock.
/// - `current_time`: unix seconds, used while connecting, to see whether the token has expired.
void cn_client_update(struct cn_client_t *client, double dt, uint64_t current_time);

/// Takes the next packet that the server sent: reliable ones first and in order, then unreliable ones as
/// they came. What was received before a connection ended can be taken until the next one begins.
///
/// True if there was one: `*packet` and `*size` (bytes, at least 1) then describe it, `*was_sent_reliably`
/// says how it was sent, and the packet is the program's until `cn_client_free_packet`; it may be written to.
/// `was_sent_reliably` may be NULL. False if there was none: a connected client then writes NULL, 0 and false,
/// one that is not writes nothing. Nothing is popped if `packet` or `size` is NULL.
bool cn_client_pop_packet(struct cn_client_t *client, void **packet, int *size, bool *was_sent_reliably);

/// Frees a packet of `cn_client_pop_packet`, on any thread at any time: after the connection ended, after the
/// client was destroyed (`client` is not looked at). NULL is ignored.
void cn_client_free_packet(struct cn_client_t *client, void *packet);

/// Sends a packet of 1 to 20971520 (20 MiB) bytes to the server, 20 bytes less on a connection of CUTE 1.00;
/// the bytes are copied.
///
/// An unreliable packet leaves at once, arrives perhaps, perhaps after a later one; several datagrams
/// carry a large one, and losing one of them loses it. A reliable packet leaves with the next update and
/// arrives once, complete and in order; the server need not send anything for that. See also
/// `cnx_client_set_send_mode`.
///
/// Fails if the client is not connected, the size is out of range, `packet` is NULL, or more than 30 MiB of
/// reliable packets or 32 MiB of all would wait for the server: then nothing was queued. Everything that was
/// accepted reliably arrives, or the connection ends. What is sent while it connects is refused, not kept: wait
/// for `CN_CLIENT_STATE_CONNECTED`.
struct cn_result_t cn_client_send(struct cn_client_t *client, const void *packet, int size, bool send_reliably);

/// Where the client stands: `CN_CLIENT_STATE_CONNECTED` (3), above 0 while it is connecting, 0 when it is
/// not connected, below 0 when something went wrong. `CN_CLIENT_STATE_DISCONNECTED` for NULL.
cn_client_state_t cn_client_state_get(const struct cn_client_t *client);

/// The name of a state, as it is written in the header; "CN_CLIENT_STATE_UNKNOWN" for a number that is
/// none. Never NULL.
const char *cn_client_state_string(cn_client_state_t state);

/// Makes everything the client sends from now on travel over a bad network, for tests.
///
/// - `latency`, `jitter`: seconds each datagram takes at least, and at most longer; 0 to 3600.
/// - `drop_chance`, `duplicate_chance`: 0 to 1.
///
/// All zeros make the network good again. Numbers out of range count as the nearest in range. What is
/// received, a seed and more: `cnx_client_set_simulator`.
void cn_client_enable_network_simulator(struct cn_client_t *client,
                                        double latency,
                                        double jitter,
                                        double drop_chance,
                                        double duplicate_chance);

/// The share of packets sent to the server lately that did not arrive, 0 to 1. This and the next three: 0
/// while not connected; lately is the last four seconds.
float cn_client_get_packet_loss_estimate(struct cn_client_t *client);

/// The smoothed round trip to the server, in milliseconds; 0 before the first measurement.
float cn_client_get_rtt_estimate(struct cn_client_t *client);

/// Kilobits (1000 bits) a second received from the server lately, UDP payload.
float cn_client_get_incoming_kbps_estimate(struct cn_client_t *client);

/// Kilobits (1000 bits) a second sent to the server lately, UDP payload.
float cn_client_get_outgoing_kbps_estimate(struct cn_client_t *client);

/// The configuration that most servers want; the key pair must still be set.
struct cn_server_config_t cn_server_config_defaults(void);

/// Makes a server with room for `CN_SERVER_MAX_CLIENTS` (32) clients, which `cnx_server_set_max_clients`
/// changes. It does not run before `cn_server_start`, which also tells whether the keys are good. `config` is copied.
///
/// Returns NULL only if the program's allocator gave none. Destroy the server with `cn_server_destroy`.
struct cn_server_t *cn_server_create(struct cn_server_config_t config);

/// `cn_server_create` with room for `max_clients` clients, brought into the range from 1 to 65535.
/// `cn_server_create` itself becomes this where a program defines `CN_SERVER_MAX_CLIENTS` before it includes
/// the header.
struct cn_server_t *cnx_server_create(struct cn_server_config_t config, int max_clients);

/// Stops the server if it runs, as `cn_server_stop` does, and frees it. Packets it gave remain the
/// program's, to be freed with `cn_server_free_packet` of any server, or NULL. NULL is ignored.
void cn_server_destroy(struct cn_server_t *server);

/// Starts to listen at an address, as `cn_endpoint_init` reads it. Clients get in whose token lists this
/// address; a server at a wildcard address (`0.0.0.0:5000`, `[::]:5000`) takes tokens that list the
/// address their datagrams were sent to, and `cn_server_set_public_ip` adds others. Port 0 lets the
/// system choose: `cnx_server_bound_endpoint` tells what it chose. `[::]` takes IPv6 alone;
/// `cnx_server_start_dual` listens at both. Events of an earlier run are gone.
///
/// Fails if the server runs already, the address can't be read or used, or the key pair isn't one: a server
/// that ran runs on, and one that did not can be started again.
struct cn_result_t cn_server_start(struct cn_server_t *server, const char *address_and_port);

/// Sends all clients away as `cn_server_disconnect_client` with `notify_client`, and closes the socket. What they
/// had sent, and a disconnection for each, can still be popped, until the next start. Does nothing to a server
/// that does not run.
void cn_server_stop(struct cn_server_t *server);

/// Takes the next event: first connections and disconnections as they happened, then packets by client
/// index, for each client reliable ones first and in order, then unreliable ones as they came. The packets
/// of a client that is gone come before its disconnection.
///
/// True if there was one. The packet of a `CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET` is the program's until
/// `cn_server_free_packet`; it may be written to. False if there was none or a pointer is NULL; nothing is
/// written then. Pop until then in every tick: a slot is not free before its disconnection was popped.
bool cn_server_pop_event(struct cn_server_t *server, cn_server_event_t *event);

/// Frees a packet of an event, on any thread at any time: after its client left, after its slot was reused,
/// after the server was stopped or destroyed (`server` and `client_index` are not looked at). NULL is ignored.
void cn_server_free_packet(struct cn_server_t *server, int client_index, void *data);

/// Receives, lets clients in, resends and sends. Call it once a tick, ten times a second at least. Does
/// nothing while the server does not run. It never waits, and reads for a quarter of `dt` at most, or 2 ms if
/// that is more: what else arrived waits for the next call.
///
/// - `dt`: seconds since the last call, 0 or more. The library has no other clock.
/// - `current_time`: unix seconds, used when a client connects, to see whether its token has expired.
void cn_server_update(struct cn_server_t *server, double dt, uint64_t current_time);

/// Sends a client away at once; its disconnection is popped after the next update, and what it had sent
/// before that. With `notify_client` what was queued for it leaves first, as far as it fits on the way at once
/// (see `cn_client_disconnect`), and then the news; without, it finds out by itself, after its timeout at the
/// latest. Does nothing if no such client is connected. May be called while events are popped.
void cn_server_disconnect_client(struct cn_server_t *server, int client_index, bool notify_client);

/// Sends a packet of 1 to 20971520 (20 MiB) bytes to a client; the bytes are copied. See `cn_client_send`.
///
/// Fails if no such client is connected, the size is out of range, `packet` is NULL, or more than 30 MiB of
/// reliable packets or 32 MiB of all would wait for the client: then nothing was queued.
struct cn_result_t cn_server_send(struct cn_server_t *server,
                                  const void *packet,
                                  int size,
                                  int client_index,
                                  bool send_reliably);

/// True if a client is connected in this slot: from the update that made its event until it is sent away
/// or gone. False for slots there are none of.
bool cn_server_is_client_connected(struct cn_server_t *server, int client_index);

/// Also lets clients in whose token lists this address, with its port: where players reach the server from
/// outside, when it stands behind a router. May be called before and after the start, and for several addresses. An
/// address that can't be read is reported to the log callback; `cnx_server_add_public_address` returns the
/// error.
void cn_server_set_public_ip(struct cn_server_t *server, const char *address_and_port);

/// Makes everything the server sends from now on travel over a bad network, for tests. See
/// `cn_client_enable_network_simulator`.
void cn_server_enable_network_simulator(struct cn_server_t *server,
                                        double latency,
                                        double jitter,
                                        double drop_chance,
                                        double duplicate_chance);

/// The share of packets sent to a client lately that did not arrive, 0 to 1. This and the next three: 0 if
/// no such client is connected; lately is the last four seconds.
float cn_server_get_packet_loss_estimate(struct cn_server_t *server, int client_index);

/// The smoothed round trip to a client, in milliseconds; 0 before the first measurement.
float cn_server_get_rtt_estimate(struct cn_server_t *server, int client_index);

/// Kilobits (1000 bits) a second received from a client lately, UDP payload.
float cn_server_get_incoming_kbps_estimate(struct cn_server_t *server, int client_index);

/// Kilobits (1000 bits) a second sent to a client lately, UDP payload.
float cn_server_get_outgoing_kbps_estimate(struct cn_server_t *server, int client_index);

/// Makes every client and server created from now on, and every packet they give, come from `alloc`, to be
/// given back to `free`. NULL for either is the process's own allocator, the default. What the library needs
/// besides stays there. Clients and servers that exist keep what they were made with. Both functions are called
/// by whatever thread makes or frees something, during calls of the library.
///
/// A file that defines `CN_ALLOC`, `CN_FREE` and `CUTE_NET_IMPLEMENTATION` before it includes cute_net.h
/// calls this before `main`; of several such files one counts, and which is not said. If that file is in a static
/// library, link it as a whole or call this yourself.
void cnx_set_allocator(cnx_alloc_t alloc, cnx_free_t free);

/// `cn_endpoint_init` where `CUTE_NET_NO_IPV6` is defined.
int cnx_ipv4_endpoint_init(cn_endpoint_t *endpoint, const char *address_and_port_string);

/// `cn_generate_connect_token` where `CUTE_NET_NO_IPV6` is defined.
struct cn_result_t cnx_ipv4_generate_connect_token(uint64_t application_id,
                                                   uint64_t creation_timestamp,
                                                   const struct cn_crypto_key_t *client_to_server_key,
                                                   const struct cn_crypto_key_t *server_to_client_key,
                                                   uint64_t expiration_timestamp,
                                                   uint32_t handshake_timeout,
                                                   int address_count,
                                                   const char **address_list,
                                                   uint64_t client_id,
                                                   const uint8_t *user_data,
                                                   const struct cn_crypto_sign_secret_t *shared_secret_key,
                                                   uint8_t *token_ptr_out);

/// `cn_client_create` where `CUTE_NET_NO_IPV6` is defined: a client made with `use_ipv6` can't connect.
struct cn_client_t *cnx_ipv4_client_create(uint16_t port,
                                           uint64_t application_id,
                                           bool use_ipv6,
                                           void *user_allocator_context);

/// `cn_server_start` where `CUTE_NET_NO_IPV6` is defined.
struct cn_result_t cnx_ipv4_server_start(struct cn_server_t *server, const char *address_and_port);

/// `cn_server_set_public_ip` where `CUTE_NET_NO_IPV6` is defined.
void cnx_ipv4_server_set_public_ip(struct cn_server_t *server, const char *address_and_port);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CN_NET_H */

/* A program that chose its own CN_SERVER_MAX_CLIENTS. A function-like macro leaves `&cn_server_create` alone. */
#ifndef cn_server_create
#    if !defined(CNX_SERVER_MAX_CLIENTS_UNSET)
#        define cn_server_create(...) cnx_server_create((__VA_ARGS__), CN_SERVER_MAX_CLIENTS)
#    elif CN_SERVER_MAX_CLIENTS != 32
#        define cn_server_create(...) cnx_server_create((__VA_ARGS__), CN_SERVER_MAX_CLIENTS)
#    endif
#endif

/* A program that wants IPv4 alone. */
#if defined(CUTE_NET_NO_IPV6) && !defined(cn_endpoint_init)
#    define cn_endpoint_init(...) cnx_ipv4_endpoint_init(__VA_ARGS__)
#    define cn_generate_connect_token(...) cnx_ipv4_generate_connect_token(__VA_ARGS__)
#    define cn_client_create(...) cnx_ipv4_client_create(__VA_ARGS__)
#    define cn_server_start(...) cnx_ipv4_server_start(__VA_ARGS__)
#    define cn_server_set_public_ip(...) cnx_ipv4_server_set_public_ip(__VA_ARGS__)
#endif

/* Names of the original that programs use and this library does not. */
#ifndef CN_NET_INTERNAL_H
#define CN_NET_INTERNAL_H

#define CN_CRYPTO_HEADER_BYTES ((int)(20 + 16))
#define CN_KB 1024
#define CN_MB (CN_KB * CN_KB)

#endif /* CN_NET_INTERNAL_H */

/*
 * The functions are in the library, so CUTE_NET_IMPLEMENTATION defines none. It brings the standard headers
 * that it brings in the original, which programs have come to rely on, and registers the program's
 * allocator.
 */
#if defined(CUTE_NET_IMPLEMENTATION) && !defined(CUTE_NET_IMPLEMENTATION_ONCE)
#define CUTE_NET_IMPLEMENTATION_ONCE

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(CN_ALLOC) && defined(CN_FREE)

static void* cnx_alloc_of_program(size_t size, void* ctx)
{
    (void)ctx;
    return CN_ALLOC(size, ctx);
}

static void cnx_free_of_program(void* memory, void* ctx)
{
    (void)ctx;
    CN_FREE(memory, ctx);
}

/* Before `main`, by what the compiler offers for it. */
#if defined(__cplusplus)
static const bool cnx_allocator_registered =
    (cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program), true);
#elif defined(_MSC_VER)
static void cnx_register_allocator(void) { cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program); }
/* Of several files that do this the linker keeps the pointer of one, and the pragma makes it keep that. */
#pragma section(".CRT$XCU", read)
__declspec(allocate(".CRT$XCU")) __declspec(selectany)
void (*cnx_register_allocator_at_start)(void) = cnx_register_allocator;
#    if defined(_M_IX86)
#        pragma comment(linker, "/include:_cnx_register_allocator_at_start")
#    else
#        pragma comment(linker, "/include:cnx_register_allocator_at_start")
#    endif
#else
__attribute__((constructor)) static void cnx_register_allocator(void)
{
    cnx_set_allocator(cnx_alloc_of_program, cnx_free_of_program);
}
#endif

#endif /* CN_ALLOC and CN_FREE */

#endif /* CUTE_NET_IMPLEMENTATION */
