/*
 * cute_networking.h: the networking of Cute Framework (CF) on libcute_net.
 *
 * It takes the place of CF's header of this name, of the generation up to 2026-08-22 and of the one since
 * 2026-08-26: programs written for either compile against it, alone or beside CF's own headers. What a
 * function does is said at its twin in cute_net.h, whose rules hold here too. Handles are the same types: a
 * `CF_Server*` may be passed to the functions of cute_net_x.h.
 *
 * A SERVER FOR DEVELOPMENT, AND ITS CLIENT, WHICH SEND A MESSAGE ON CHANNEL 3
 *
 *     CF_Server* server = cf_make_server_insecure(42);    // cf_make_server with keys of its own when it is shipped
 *     CF_Result started = cf_server_start(server, "127.0.0.1:5000");
 *     CF_Client* client = cf_make_client(0, 42, false);
 *     CF_Result begun = cf_client_connect_insecure(client, "127.0.0.1:5000", 42);
 *     if (cf_is_error(started) || cf_is_error(begun)) return;
 *     cf_client_channel_options(client, 3, 0, true);      // priority 0, reliable
 *     while (cf_client_state(client) > CF_CLIENT_STATE_DISCONNECTED) {    // each tick
 *         CF_ServerEvent e;
 *         int index, size;
 *         uint32_t id;
 *         void* data;
 *         cf_client_tick(client);
 *         cf_server_tick(server);
 *         if (cf_client_state(client) == CF_CLIENT_STATE_CONNECTED) cf_client_send_msg(client, 3, 7, "hello", 6);
 *         while (cf_server_pop_event(server, &e))
 *             if (e.type == CF_SERVER_EVENT_TYPE_PAYLOAD_PACKET)
 *                 cf_server_free_packet(server, e.u.payload_packet.client_index, e.u.payload_packet.data);
 *         while (cf_server_pop_msg(server, &index, &id, &data, &size)) cf_server_free_msg(server, data);
 *     }
 *     cf_destroy_client(client);
 *     cf_destroy_server(server);
 */

#ifndef CF_NETWORKING_H
#define CF_NETWORKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cute_net.h"

/* CF's own headers where they are, and what of them is needed here where they are not. */
#if defined(__has_include)
#    if __has_include("cute_defines.h") && __has_include("cute_result.h")
#        include "cute_defines.h"
#        include "cute_result.h"
#    endif
#endif

#ifndef CF_DEFINES_H
#    ifndef CF_API
#        define CF_API
#    endif
#    ifndef CF_CALL
#        define CF_CALL
#    endif
#    ifndef CF_INLINE
#        ifdef __cplusplus
#            define CF_INLINE inline
#        else
#            define CF_INLINE static inline
#        endif
#    endif
#    ifndef CF_STRINGIZE
#        define CF_STRINGIZE_INTERNAL(...) #__VA_ARGS__
#        define CF_STRINGIZE(...) CF_STRINGIZE_INTERNAL(__VA_ARGS__)
#    endif
#    if defined(__cplusplus) && !defined(CF_NO_CPP) && !defined(CF_CPP)
#        define CF_CPP
#    endif
#endif

#ifndef CF_RESULT_H
#define CF_RESULT_H

enum
{
    CF_RESULT_SUCCESS = 0,
    CF_RESULT_ERROR = -1
};

/// What a call came to. See `cn_result_t`.
typedef struct CF_Result
{
    int code;            /* CF_RESULT_SUCCESS or CF_RESULT_ERROR */
    const char* details; /* on an error, why, in words for people */
} CF_Result;

CF_INLINE bool cf_is_error(CF_Result result) { return result.code == CF_RESULT_ERROR; }
CF_INLINE CF_Result cf_result_error(const char* details) { CF_Result result; result.code = CF_RESULT_ERROR; result.details = details; return result; }
CF_INLINE CF_Result cf_result_success(void) { CF_Result result; result.code = CF_RESULT_SUCCESS; result.details = NULL; return result; }

#ifdef CF_CPP
namespace Cute
{
CF_INLINE bool is_error(CF_Result error) { return cf_is_error(error); }
CF_INLINE CF_Result result_failure(const char* details) { return cf_result_error(details); }
CF_INLINE CF_Result result_success() { return cf_result_success(); }
}
#endif

#endif /* CF_RESULT_H */

typedef struct cn_client_t CF_Client;
typedef struct cn_server_t CF_Server;
typedef struct cn_endpoint_t CF_Address;
typedef enum cn_address_type_t CF_AddressType;

/// Bytes of a connect token.
#define CF_CONNECT_TOKEN_SIZE 1114
/// Bytes of the program's own that a connect token carries.
#define CF_CONNECT_TOKEN_USER_DATA_SIZE 256
/// Clients that a server of `cf_make_server` has room for; `cnx_server_set_max_clients` changes it.
#define CF_SERVER_MAX_CLIENTS 32
/// Channels of messages.
#define CF_NET_MAX_CHANNELS 8
/// Bytes of the largest message.
#define CF_NET_MAX_MSG_SIZE 1048576

#define CF_ADDRESS_TYPE_DEFS       \
    CF_ENUM(ADDRESS_TYPE_NONE, 0) \
    CF_ENUM(ADDRESS_TYPE_IPV4, 1) \
    CF_ENUM(ADDRESS_TYPE_IPV6, 2) \

enum
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_ADDRESS_TYPE_DEFS
    #undef CF_ENUM
};

/// The name of an address type; NULL for a number that is none.
CF_INLINE const char* cf_address_type_to_string(CF_AddressType type)
{
#ifdef __cplusplus
    switch (static_cast<int>(type)) {
#else
    switch ((int)type) {
#endif
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_ADDRESS_TYPE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

#define CF_CLIENT_STATE_DEFS                               \
    CF_ENUM(CLIENT_STATE_CONNECT_TOKEN_EXPIRED, -6)        \
    CF_ENUM(CLIENT_STATE_INVALID_CONNECT_TOKEN, -5)        \
    CF_ENUM(CLIENT_STATE_CONNECTION_TIMED_OUT, -4)         \
    CF_ENUM(CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT, -3) \
    CF_ENUM(CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT, -2) \
    CF_ENUM(CLIENT_STATE_CONNECTION_DENIED, -1)            \
    CF_ENUM(CLIENT_STATE_DISCONNECTED, 0)                  \
    CF_ENUM(CLIENT_STATE_SENDING_CONNECTION_REQUEST, 1)    \
    CF_ENUM(CLIENT_STATE_SENDING_CHALLENGE_RESPONSE, 2)    \
    CF_ENUM(CLIENT_STATE_CONNECTED, 3)                     \

/// Where a client stands. See `cn_client_state_t`.
typedef enum CF_ClientState
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_CLIENT_STATE_DEFS
    #undef CF_ENUM
} CF_ClientState;

/// The name of a state; NULL for a number that is none.
CF_INLINE const char* cf_client_state_to_string(CF_ClientState state)
{
    switch (state) {
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_CLIENT_STATE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

#define CF_SERVER_EVENT_TYPE_DEFS                \
    CF_ENUM(SERVER_EVENT_TYPE_NEW_CONNECTION, 0) \
    CF_ENUM(SERVER_EVENT_TYPE_DISCONNECTED, 1)   \
    CF_ENUM(SERVER_EVENT_TYPE_PAYLOAD_PACKET, 2) \

/// What a server event tells. See `cn_server_event_type_t`.
typedef enum CF_ServerEventType
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_SERVER_EVENT_TYPE_DEFS
    #undef CF_ENUM
} CF_ServerEventType;

/// The name of an event type; NULL for a number that is none.
CF_INLINE const char* cf_server_event_type_to_string(CF_ServerEventType type)
{
    switch (type) {
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_SERVER_EVENT_TYPE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

/// Something that happened to a client. See `cn_server_event_t`.
typedef struct CF_ServerEvent
{
    CF_ServerEventType type;
    union
    {
        struct
        {
            int client_index;    /* its slot */
            uint64_t client_id;  /* the client id of its token */
            CF_Address endpoint; /* where it is */
        } new_connection;

        struct
        {
            int client_index;
        } disconnected;

        struct
        {
            int client_index;
            void* data;          /* give it back to cf_server_free_packet */
            int size;
        } payload_packet;
    } u;
} CF_ServerEvent;

/// A secret that seals the packets of one direction of one connection.
typedef union CF_CryptoKey {
    /// The bytes of the key.
    uint8_t key[32];
    /// The same bytes.
    uint8_t bytes[32];
} CF_CryptoKey;

/// The half of a key pair that may be shown.
typedef union CF_CryptoSignPublic {
    /// The bytes of the key.
    uint8_t key[32];
    /// The same bytes.
    uint8_t bytes[32];
} CF_CryptoSignPublic;

/// The half of a key pair that only the web service and the game servers know. Whoever has it can mint
/// tokens.
typedef union CF_CryptoSignSecret {
    /// The bytes of the key.
    uint8_t key[64];
    /// The same bytes.
    uint8_t bytes[64];
} CF_CryptoSignSecret;

/// A transport of the program's: datagrams of up to 1200 bytes, each of which may get lost, come twice or
/// out of order.
typedef struct CF_ClientWire {
    /// The program's own, passed to both functions.
    void *udata;
    /// Sends a datagram of `size` bytes, or loses it. What it returns is not looked at.
    int (*send)(void *udata, const void *data, int size);
    /// Reads the next whole datagram into `data`, which has room for `size` bytes. Returns how many it has, 0
    /// if none waits, less than 0 on a failure.
    int (*recv)(void *udata, void *data, int size);
} CF_ClientWire;

/// How a server is set up. Start from `cf_server_config_defaults`. Without the allocator context of
/// `cn_server_config_t`.
typedef struct CF_ServerConfig {
    /// Names the game; the same number as in connect tokens and clients. Default 0.
    uint64_t application_id;
    /// Bytes a second taken from each client; 0, the default, is no limit. See `cn_server_config_t`.
    int max_incoming_bytes_per_second;
    /// Bytes a second sent to each client; 0, the default, is no limit. See `cn_server_config_t`.
    int max_outgoing_bytes_per_second;
    /// Seconds of silence after which a client counts as gone; 0 or less is never. Default 10.
    int connection_timeout;
    /// Seconds a lost reliable packet waits at most to be sent again. Default 0.1.
    double resend_rate;
    /// The half of the key pair that may be shown. Default zeros: set it.
    union CF_CryptoSignPublic public_key;
    /// The half that is kept: the one that connect tokens are made with. Default zeros: set it.
    union CF_CryptoSignSecret secret_key;
} CF_ServerConfig;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// `cn_endpoint_init`.
int cf_address_init(CF_Address *endpoint, const char *address_and_port_string);

/// `cn_endpoint_to_string`.
void cf_address_to_string(CF_Address endpoint, char *buffer, int buffer_size);

/// `cn_endpoint_equals`.
int cf_address_equals(CF_Address a, CF_Address b);

/// `cn_crypto_generate_key`.
union CF_CryptoKey cf_crypto_generate_key(void);

/// `cn_crypto_random_bytes`.
void cf_crypto_random_bytes(void *data, int byte_count);

/// `cn_crypto_sign_keygen`.
void cf_crypto_sign_keygen(union CF_CryptoSignPublic *public_key, union CF_CryptoSignSecret *secret_key);

/// `cn_generate_connect_token`.
CF_Result cf_generate_connect_token(uint64_t application_id,
                                    uint64_t creation_timestamp,
                                    const union CF_CryptoKey *client_to_server_key,
                                    const union CF_CryptoKey *server_to_client_key,
                                    uint64_t expiration_timestamp,
                                    uint32_t handshake_timeout,
                                    int address_count,
                                    const char **address_list,
                                    uint64_t client_id,
                                    const uint8_t *user_data,
                                    const union CF_CryptoSignSecret *shared_secret_key,
                                    uint8_t *token_ptr_out);

/// `cn_client_create` without an allocator context.
CF_Client *cf_make_client(uint16_t port, uint64_t application_id, bool use_ipv6);

/// `cn_client_destroy`.
void cf_destroy_client(CF_Client *client);

/// `cn_client_connect`.
CF_Result cf_client_connect(CF_Client *client, const uint8_t *connect_token);

/// Connects, for development, to a server of `cf_make_server_insecure` at `address_and_port`, without a web
/// service: the token is made here, with keys that everybody has, for a random client id. The application
/// id is the server's.
///
/// Fails as `cn_client_connect`, and if the address can't be read.
CF_Result cf_client_connect_insecure(CF_Client *client, const char *address_and_port, uint64_t application_id);

/// `cn_client_disconnect`.
void cf_client_disconnect(CF_Client *client);

/// `cn_client_update`.
void cf_client_update(CF_Client *client, double dt, uint64_t current_time);

/// `cf_client_update` by the system's clocks: with the time that has passed since the last `cf_client_tick`, 0 at
/// the first, and the unix time.
void cf_client_tick(CF_Client *client);

/// `cn_client_pop_packet`.
bool cf_client_pop_packet(CF_Client *client, void **packet, int *size, bool *was_sent_reliably);

/// `cn_client_free_packet`.
void cf_client_free_packet(CF_Client *client, void *packet);

/// `cn_client_send`.
CF_Result cf_client_send(CF_Client *client, const void *packet, int size, bool send_reliably);

/// `cn_client_state_get`.
CF_ClientState cf_client_state_get(const CF_Client *client);

/// `cn_client_state_get`, by its newer name.
CF_ClientState cf_client_state(const CF_Client *client);

/// `cn_client_enable_network_simulator`.
void cf_client_enable_network_simulator(CF_Client *client,
                                        double latency,
                                        double jitter,
                                        double drop_chance,
                                        double duplicate_chance);

/// `cn_client_get_rtt_estimate`: milliseconds.
float cf_client_rtt(CF_Client *client);

/// `cn_client_get_packet_loss_estimate`: 0 to 1.
float cf_client_packet_loss(CF_Client *client);

/// `cn_client_get_incoming_kbps_estimate`: kilobits a second.
float cf_client_incoming_kbps(CF_Client *client);

/// `cn_client_get_outgoing_kbps_estimate`: kilobits a second.
float cf_client_outgoing_kbps(CF_Client *client);

/// Makes the client's datagrams travel over functions of the program instead of UDP, from the next
/// connection on; a connection there is ends. Both functions NULL is UDP again. The struct is copied. The
/// functions are called during calls with this client alone, and must not use it. Does nothing if `client`
/// is NULL, or one of the functions alone.
void cf_client_set_wire(CF_Client *client, struct CF_ClientWire wire);

/// A wire for browsers: on this platform it always fails, and says so. UDP needs no wire.
CF_Result cf_client_web_wire(CF_Client *client, const char *url);

/// `cn_server_config_defaults`.
struct CF_ServerConfig cf_server_config_defaults(void);

/// `cn_server_create`.
CF_Server *cf_make_server(struct CF_ServerConfig config);

/// Makes, for development, a server that clients of `cf_client_connect_insecure` can connect to, with a key
/// pair that everybody has: anybody can mint tokens for it and read what travels. Never ship it.
CF_Server *cf_make_server_insecure(uint64_t application_id);

/// `cn_server_destroy`.
void cf_destroy_server(CF_Server *server);

/// `cn_server_start`.
CF_Result cf_server_start(CF_Server *server, const char *address_and_port);

/// `cn_server_stop`.
void cf_server_stop(CF_Server *server);

/// `cn_server_pop_event`.
bool cf_server_pop_event(CF_Server *server, CF_ServerEvent *event);

/// `cn_server_free_packet`.
void cf_server_free_packet(CF_Server *server, int client_index, void *data);

/// `cn_server_update`.
void cf_server_update(CF_Server *server, double dt, uint64_t current_time);

/// `cf_server_update` by the system's clocks; see `cf_client_tick`.
void cf_server_tick(CF_Server *server);

/// `cn_server_disconnect_client`.
void cf_server_disconnect_client(CF_Server *server, int client_index, bool notify_client);

/// `cn_server_send`.
CF_Result cf_server_send(CF_Server *server, const void *packet, int size, int client_index, bool send_reliably);

/// `cf_server_send` to every connected client. A client whose queue is full does not get it.
void cf_server_send_to_all(CF_Server *server, const void *packet, int size, bool send_reliably);

/// `cn_server_is_client_connected`.
bool cf_server_is_client_connected(CF_Server *server, int client_index);

/// `cn_server_set_public_ip`.
void cf_server_set_public_ip(CF_Server *server, const char *address_and_port);

/// `cn_server_enable_network_simulator`.
void cf_server_enable_network_simulator(CF_Server *server,
                                        double latency,
                                        double jitter,
                                        double drop_chance,
                                        double duplicate_chance);

/// `cn_server_get_rtt_estimate`: milliseconds.
float cf_server_rtt(CF_Server *server, int client_index);

/// `cn_server_get_packet_loss_estimate`: 0 to 1.
float cf_server_packet_loss(CF_Server *server, int client_index);

/// `cn_server_get_incoming_kbps_estimate`: kilobits a second.
float cf_server_incoming_kbps(CF_Server *server, int client_index);

/// `cn_server_get_outgoing_kbps_estimate`: kilobits a second.
float cf_server_outgoing_kbps(CF_Server *server, int client_index);

/// Sets up a channel of a client, 0 to 7, for what it sends from now on.
///
/// - `priority`: messages of a higher one leave first, however long those of a lower one wait. Default 0.
/// - `reliable`: true for messages that all arrive, in order; false, the default, for messages that may be
///   lost and never come after a later one.
///
/// Channels do not wait for each other. Does nothing for other channels. `cn_client_send` has priority 0.
void cf_client_channel_options(CF_Client *client, int channel, int priority, bool reliable);

/// Sets how many bytes of messages a client sends in a second at most; 0, the default, or less is no limit.
/// What must wait is queued. `cf_client_send` is not counted. A message larger than what is allowed at once
/// goes whole, and the next ones wait for it.
void cf_client_set_send_rate(CF_Client *client, int bytes_per_second);

/// Queues a message for the server on a channel; it leaves with the next update or flush. The bytes are
/// copied. A message of 0 bytes, with `data` NULL or not, is one.
///
/// Fails if the client is not connected, `channel` is not 0 to 7, `size` is not 0 to `CF_NET_MAX_MSG_SIZE`,
/// `data` is NULL with a size above 0, or more than 4 MiB would wait on the channel: then nothing was queued. Fails
/// always on a connection of CUTE 1.00, the original's protocol, which has no channels: send packets there.
CF_Result cf_client_send_msg(CF_Client *client, int channel, uint32_t id, const void *data, int size);

/// Takes the next message that the server sent: reliable ones first, each channel's in order. What was received
/// before a connection ended can be taken until the next one begins.
///
/// True if there was one: `*id`, `*data` (never NULL) and `*size` (bytes, 0 or more) then describe it, and it is
/// the program's until `cf_client_free_msg`. `id` may be NULL. False if there was none, or `data` or `size` is
/// NULL; nothing is written then.
bool cf_client_pop_msg(CF_Client *client, uint32_t *id, void **data, int *size);

/// Frees a message of `cf_client_pop_msg`, at any time. NULL is ignored.
void cf_client_free_msg(CF_Client *client, void *data);

/// Sets up a channel of a server, for what it sends to every client from now on. See
/// `cf_client_channel_options`.
void cf_server_channel_options(CF_Server *server, int channel, int priority, bool reliable);

/// Sets how many bytes of messages a server sends to each client in a second at most. See
/// `cf_client_set_send_rate`.
void cf_server_set_send_rate(CF_Server *server, int bytes_per_second);

/// Queues a message for a client on a channel. See `cf_client_send_msg`.
///
/// Fails as that, and if no such client is connected.
CF_Result cf_server_send_msg(CF_Server *server, int client_index, int channel, uint32_t id, const void *data, int size);

/// Takes the next message that a client sent, as `cf_client_pop_msg`; `*client_index` is its slot (the pointer
/// may be NULL). Those of a client that is gone can still be taken, before those of a later client with its slot.
bool cf_server_pop_msg(CF_Server *server, int *client_index, uint32_t *id, void **data, int *size);

/// Frees a message of `cf_server_pop_msg`, at any time. NULL is ignored.
void cf_server_free_msg(CF_Server *server, void *data);

/// Compresses `current`, `size` bytes of game state, against `baseline`, an earlier state of as many bytes
/// that the receiver has; NULL is all zeroes. The less has changed, the smaller the result.
///
/// Returns the bytes written to `out`, at most `out_capacity`; -1 if they do not fit, `size` is negative, or
/// `current` or `out` is NULL. `size` + 2 bytes always suffice.
int cf_snapshot_compress(const void *baseline, const void *current, int size, void *out, int out_capacity);

/// Puts together again what `cf_snapshot_compress` made with the same `baseline` and `size`: writes `size`
/// bytes to `out`, which must not overlap the others.
///
/// Returns 0 on success. -1 if the bytes are damaged as far as that can be told, a size is negative, or a
/// pointer is NULL that must not be; `out` then holds anything. Bytes of any origin are safe to pass.
int cf_snapshot_decompress(const void *baseline, int size, const void *compressed, int compressed_size, void *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CF_NETWORKING_H */

#if defined(CF_CPP) && !defined(CUTE_NETWORKING_CPP)
#define CUTE_NETWORKING_CPP

/* The functions without their prefix, with defaults. */
namespace Cute
{

using Client = CF_Client;
using Server = CF_Server;
using CryptoKey = CF_CryptoKey;
using CryptoSignPublic = CF_CryptoSignPublic;
using CryptoSignSecret = CF_CryptoSignSecret;
using Address = CF_Address;
using AddressType = CF_AddressType;
using ClientState = CF_ClientState;
using ClientWire = CF_ClientWire;
using ServerConfig = CF_ServerConfig;
using ServerEvent = CF_ServerEvent;
using ServerEventType = CF_ServerEventType;

enum : int
{
    #define CF_ENUM(K, V) K = V,
    CF_ADDRESS_TYPE_DEFS
    #undef CF_ENUM
};

#define CF_ENUM(K, V) constexpr ClientState K = CF_##K;
CF_CLIENT_STATE_DEFS
#undef CF_ENUM

#define CF_ENUM(K, V) constexpr ServerEventType K = CF_##K;
CF_SERVER_EVENT_TYPE_DEFS
#undef CF_ENUM

CF_INLINE const char* to_string(ClientState state)
{
    switch (state) {
    #define CF_ENUM(K, V) case CF_##K: return #K;
    CF_CLIENT_STATE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

CF_INLINE const char* to_string(ServerEventType type)
{
    switch (type) {
    #define CF_ENUM(K, V) case CF_##K: return #K;
    CF_SERVER_EVENT_TYPE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

CF_INLINE int address_init(Address* endpoint, const char* address_and_port_string) { return cf_address_init(endpoint, address_and_port_string); }
CF_INLINE void address_to_string(Address endpoint, char* buffer, int buffer_size) { cf_address_to_string(endpoint, buffer, buffer_size); }
CF_INLINE int address_equals(Address a, Address b) { return cf_address_equals(a, b); }
CF_INLINE const char* address_type_to_string(AddressType type) { return cf_address_type_to_string(type); }

CF_INLINE CryptoKey crypto_generate_key() { return cf_crypto_generate_key(); }
CF_INLINE void crypto_random_bytes(void* data, int byte_count) { cf_crypto_random_bytes(data, byte_count); }
CF_INLINE void crypto_sign_keygen(CryptoSignPublic* public_key, CryptoSignSecret* secret_key) { cf_crypto_sign_keygen(public_key, secret_key); }
CF_INLINE CF_Result generate_connect_token(uint64_t application_id, uint64_t creation_timestamp, const CryptoKey* client_to_server_key, const CryptoKey* server_to_client_key, uint64_t expiration_timestamp, uint32_t handshake_timeout, int address_count, const char** address_list, uint64_t client_id, const uint8_t* user_data, const CryptoSignSecret* shared_secret_key, uint8_t* token_ptr_out)
{
    return cf_generate_connect_token(application_id, creation_timestamp, client_to_server_key, server_to_client_key, expiration_timestamp, handshake_timeout, address_count, address_list, client_id, user_data, shared_secret_key, token_ptr_out);
}

CF_INLINE Client* make_client(uint16_t port, uint64_t application_id, bool use_ipv6 = false) { return cf_make_client(port, application_id, use_ipv6); }
CF_INLINE void destroy_client(Client* client) { cf_destroy_client(client); }
CF_INLINE CF_Result client_connect(Client* client, const uint8_t* connect_token) { return cf_client_connect(client, connect_token); }
CF_INLINE CF_Result client_connect_insecure(Client* client, const char* address_and_port, uint64_t application_id) { return cf_client_connect_insecure(client, address_and_port, application_id); }
CF_INLINE void client_disconnect(Client* client) { cf_client_disconnect(client); }
CF_INLINE void client_update(Client* client, double dt, uint64_t current_time) { cf_client_update(client, dt, current_time); }
CF_INLINE void client_tick(Client* client) { cf_client_tick(client); }
CF_INLINE bool client_pop_packet(Client* client, void** packet, int* size, bool* was_sent_reliably = NULL) { return cf_client_pop_packet(client, packet, size, was_sent_reliably); }
CF_INLINE void client_free_packet(Client* client, void* packet) { cf_client_free_packet(client, packet); }
CF_INLINE CF_Result client_send(Client* client, const void* packet, int size, bool send_reliably) { return cf_client_send(client, packet, size, send_reliably); }
CF_INLINE ClientState client_state_get(const Client* client) { return cf_client_state_get(client); }
CF_INLINE ClientState client_state(const Client* client) { return cf_client_state(client); }
CF_INLINE const char* client_state_to_string(ClientState state) { return cf_client_state_to_string(state); }
CF_INLINE void client_enable_network_simulator(Client* client, double latency, double jitter, double drop_chance, double duplicate_chance) { cf_client_enable_network_simulator(client, latency, jitter, drop_chance, duplicate_chance); }
CF_INLINE float client_rtt(Client* client) { return cf_client_rtt(client); }
CF_INLINE float client_packet_loss(Client* client) { return cf_client_packet_loss(client); }
CF_INLINE float client_incoming_kbps(Client* client) { return cf_client_incoming_kbps(client); }
CF_INLINE float client_outgoing_kbps(Client* client) { return cf_client_outgoing_kbps(client); }
CF_INLINE void client_set_wire(Client* client, ClientWire wire) { cf_client_set_wire(client, wire); }
CF_INLINE CF_Result client_web_wire(Client* client, const char* url) { return cf_client_web_wire(client, url); }
CF_INLINE void client_channel_options(Client* client, int channel, int priority, bool reliable) { cf_client_channel_options(client, channel, priority, reliable); }
CF_INLINE void client_set_send_rate(Client* client, int bytes_per_second) { cf_client_set_send_rate(client, bytes_per_second); }
CF_INLINE CF_Result client_send_msg(Client* client, int channel, uint32_t id, const void* data, int size) { return cf_client_send_msg(client, channel, id, data, size); }
CF_INLINE bool client_pop_msg(Client* client, uint32_t* id, void** data, int* size) { return cf_client_pop_msg(client, id, data, size); }
CF_INLINE void client_free_msg(Client* client, void* data) { cf_client_free_msg(client, data); }

CF_INLINE ServerConfig server_config_defaults() { return cf_server_config_defaults(); }
CF_INLINE Server* make_server(ServerConfig config) { return cf_make_server(config); }
CF_INLINE Server* make_server_insecure(uint64_t application_id) { return cf_make_server_insecure(application_id); }
CF_INLINE void destroy_server(Server* server) { cf_destroy_server(server); }
CF_INLINE CF_Result server_start(Server* server, const char* address_and_port) { return cf_server_start(server, address_and_port); }
CF_INLINE void server_stop(Server* server) { cf_server_stop(server); }
CF_INLINE bool server_pop_event(Server* server, ServerEvent* event) { return cf_server_pop_event(server, event); }
CF_INLINE void server_free_packet(Server* server, int client_index, void* data) { cf_server_free_packet(server, client_index, data); }
CF_INLINE const char* server_event_type_to_string(ServerEventType type) { return cf_server_event_type_to_string(type); }
CF_INLINE void server_update(Server* server, double dt, uint64_t current_time) { cf_server_update(server, dt, current_time); }
CF_INLINE void server_tick(Server* server) { cf_server_tick(server); }
CF_INLINE void server_disconnect_client(Server* server, int client_index, bool notify_client = true) { cf_server_disconnect_client(server, client_index, notify_client); }
CF_INLINE CF_Result server_send(Server* server, const void* packet, int size, int client_index, bool send_reliably) { return cf_server_send(server, packet, size, client_index, send_reliably); }
CF_INLINE void server_send_to_all(Server* server, const void* packet, int size, bool send_reliably) { cf_server_send_to_all(server, packet, size, send_reliably); }
CF_INLINE bool server_is_client_connected(Server* server, int client_index) { return cf_server_is_client_connected(server, client_index); }
CF_INLINE void server_set_public_ip(Server* server, const char* address_and_port) { cf_server_set_public_ip(server, address_and_port); }
CF_INLINE void server_enable_network_simulator(Server* server, double latency, double jitter, double drop_chance, double duplicate_chance) { cf_server_enable_network_simulator(server, latency, jitter, drop_chance, duplicate_chance); }
CF_INLINE float server_rtt(Server* server, int client_index) { return cf_server_rtt(server, client_index); }
CF_INLINE float server_packet_loss(Server* server, int client_index) { return cf_server_packet_loss(server, client_index); }
CF_INLINE float server_incoming_kbps(Server* server, int client_index) { return cf_server_incoming_kbps(server, client_index); }
CF_INLINE float server_outgoing_kbps(Server* server, int client_index) { return cf_server_outgoing_kbps(server, client_index); }
CF_INLINE void server_channel_options(Server* server, int channel, int priority, bool reliable) { cf_server_channel_options(server, channel, priority, reliable); }
CF_INLINE void server_set_send_rate(Server* server, int bytes_per_second) { cf_server_set_send_rate(server, bytes_per_second); }
CF_INLINE CF_Result server_send_msg(Server* server, int client_index, int channel, uint32_t id, const void* data, int size) { return cf_server_send_msg(server, client_index, channel, id, data, size); }
CF_INLINE bool server_pop_msg(Server* server, int* client_index, uint32_t* id, void** data, int* size) { return cf_server_pop_msg(server, client_index, id, data, size); }
CF_INLINE void server_free_msg(Server* server, void* data) { cf_server_free_msg(server, data); }

CF_INLINE int snapshot_compress(const void* baseline, const void* current, int size, void* out, int out_capacity) { return cf_snapshot_compress(baseline, current, size, out, out_capacity); }
CF_INLINE int snapshot_decompress(const void* baseline, int size, const void* compressed, int compressed_size, void* out) { return cf_snapshot_decompress(baseline, size, compressed, compressed_size, out); }

} /* namespace Cute */

#endif /* CF_CPP */
