/*
 * cute_net_x.h: what libcute_net offers beyond the original cute_net.h.
 *
 * The rules of cute_net.h hold here too. Structs of this header begin with their size, which the program
 * sets before a call, so that they can grow.
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
    CNX_SEND_BATCHED   = 1  /* at the next flush, update, disconnect or stop, whichever is first */
} cnx_send_mode_t;

/// How much a log message matters.
typedef enum cnx_log_level_t
{
    CNX_LOG_ERROR   = 1, /* something does not work */
    CNX_LOG_WARNING = 2, /* something will not work as asked */
    CNX_LOG_INFO    = 3, /* something happened that happens rarely */
    CNX_LOG_DEBUG   = 4  /* everything else, among it every datagram dropped */
} cnx_log_level_t;

/// Datagrams received since the last start (of a server) or connect (of a client), and why some were
/// dropped. Each datagram counts once.
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
} cnx_counters_t;

/// Receives a message of the library: `text` ends with a zero byte and is valid during the call. It may
/// come from any thread that uses a client or a server, during a call of the library.
typedef void (*cnx_log_callback_t)(void *user, cnx_log_level_t level, const char *text);

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

/// For how many clients a server has room; 0 for NULL.
int cnx_server_max_clients(cn_server_t *server);

/// How many clients are connected.
int cnx_server_client_count(cn_server_t *server);

/// Copies what a connected client's token carried for the program: `CN_CONNECT_TOKEN_USER_DATA_SIZE` (256)
/// bytes.
///
/// Fails if no such client is connected; nothing is written then.
cn_result_t cnx_server_client_user_data(cn_server_t *server,
                                        int client_index,
                                        uint8_t *user_data_out);

/// Also lets clients in whose token lists this address; see `cn_server_set_public_ip`.
///
/// Fails if the address can't be read.
cn_result_t cnx_server_add_public_address(cn_server_t *server, const char *address_and_port);

/// Where a server listens: after a start at port 0, which port that was. The IPv4 address of a server that
/// listens at two.
///
/// Fails if the server does not run; `endpoint_out` then has the type `CN_ADDRESS_TYPE_NONE`.
cn_result_t cnx_server_bound_endpoint(cn_server_t *server,
                                      cn_endpoint_t *endpoint_out);

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
int cnx_server_bound_endpoints(cn_server_t *server,
                               cn_endpoint_t *endpoints_out,
                               int capacity);

/// Where a client's datagrams leave from.
///
/// Fails if the client is neither connected nor connecting; `endpoint_out` then has the type
/// `CN_ADDRESS_TYPE_NONE`.
cn_result_t cnx_client_bound_endpoint(cn_client_t *client, cn_endpoint_t *endpoint_out);

/// Sets when the messages of a server leave: `CNX_SEND_IMMEDIATE`, the default, or `CNX_SEND_BATCHED`.
///
/// Batched is the better mode for a game that sends a number of messages each tick: send them all, then
/// call `cnx_server_flush` at the end of the tick. They share datagrams, and one system call carries many.
void cnx_server_set_send_mode(cn_server_t *server,
                              cnx_send_mode_t mode);

/// Sets when the messages of a client leave; see `cnx_server_set_send_mode`.
void cnx_client_set_send_mode(cn_client_t *client, cnx_send_mode_t mode);

/// Sends everything that is queued for all clients, as far as the network takes it; the rest leaves with
/// later updates.
void cnx_server_flush(cn_server_t *server);

/// Sends everything that is queued, as far as the network takes it; the rest leaves with later updates.
void cnx_client_flush(cn_client_t *client);

/// Reads the counters of a server; all zero if it never started.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
cn_result_t cnx_server_counters(cn_server_t *server, struct cnx_counters_t *counters_out);

/// Reads the counters of a client.
///
/// Fails if a pointer is NULL or `counters_out->size` is not set.
cn_result_t cnx_client_counters(cn_client_t *client, struct cnx_counters_t *counters_out);

/// Sends the library's messages up to a level to a function of the program's, for all clients and servers;
/// NULL, the default, sends them nowhere. The function must return (no exception, no longjmp) and must not
/// use the client or server that it is called for. Another thread may still be in the old function when this
/// returns. A `max_level` of 0 or less counts as `CNX_LOG_ERROR`. What an attacker can cause is said at `CNX_LOG_DEBUG` only, among
/// it every datagram dropped and why.
void cnx_set_log_callback(cnx_log_callback_t callback,
                          cnx_log_level_t max_level,
                          void *user);

/// Makes a client's datagrams travel over functions of the program instead of UDP, from the next connection
/// on; a connection there is ends. `wire` is copied; NULL is UDP again. The servers of a token are then
/// names only: the wire leads to one. The functions are called during calls with this client alone, and must
/// not use it.
///
/// Fails if `client` or one of the functions is NULL.
cn_result_t cnx_client_set_wire(cn_client_t *client,
                                const struct cnx_client_wire_t *wire);

/// `cn_endpoint_to_string`. Does nothing if `endpoint` is NULL.
void cnx_endpoint_to_string_p(const cn_endpoint_t *endpoint, char *buffer, int buffer_size);

/// `cn_endpoint_equals`. Does nothing but return 0 if `a` or `b` is NULL.
int cnx_endpoint_equals_p(const cn_endpoint_t *a, const cn_endpoint_t *b);

/// `cn_is_error`. Does nothing but return false if `result` is NULL.
bool cnx_is_error_p(const cn_result_t *result);

/// `cn_error_failure`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_error_failure_p(const char *details, cn_result_t *out);

/// `cn_error_success`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_error_success_p(cn_result_t *out);

/// `cn_init`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_init_p(cn_result_t *out);

/// `cn_crypto_generate_key`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_crypto_generate_key_p(cn_crypto_key_t *out);

/// `cn_generate_connect_token`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_generate_connect_token_p(uint64_t application_id,
                                  uint64_t creation_timestamp,
                                  const cn_crypto_key_t *client_to_server_key,
                                  const cn_crypto_key_t *server_to_client_key,
                                  uint64_t expiration_timestamp,
                                  uint32_t handshake_timeout,
                                  int address_count,
                                  const char **address_list,
                                  uint64_t client_id,
                                  const uint8_t *user_data,
                                  const cn_crypto_sign_secret_t *shared_secret_key,
                                  uint8_t *token_ptr_out,
                                  cn_result_t *out);

/// `cn_client_connect`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_connect_p(cn_client_t *client, const uint8_t *connect_token, cn_result_t *out);

/// `cn_client_send`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_send_p(cn_client_t *client,
                       const void *packet,
                       int size,
                       bool send_reliably,
                       cn_result_t *out);

/// `cn_server_config_defaults`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_config_defaults_p(cn_server_config_t *out);

/// `cnx_server_create`. Does nothing but return NULL if `config` is NULL.
cn_server_t *cnx_server_create_p(const cn_server_config_t *config, int max_clients);

/// `cn_server_start`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_start_p(cn_server_t *server, const char *address_and_port, cn_result_t *out);

/// `cn_server_send`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_send_p(cn_server_t *server,
                       const void *packet,
                       int size,
                       int client_index,
                       bool send_reliably,
                       cn_result_t *out);

/// `cnx_server_set_max_clients`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_set_max_clients_p(cn_server_t *server, int max_clients, cn_result_t *out);

/// `cnx_server_client_user_data`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_client_user_data_p(cn_server_t *server,
                                   int client_index,
                                   uint8_t *user_data_out,
                                   cn_result_t *out);

/// `cnx_server_add_public_address`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_add_public_address_p(cn_server_t *server,
                                     const char *address_and_port,
                                     cn_result_t *out);

/// `cnx_server_start_dual`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_start_dual_p(cn_server_t *server,
                             const char *ipv4_address_and_port,
                             const char *ipv6_address_and_port,
                             cn_result_t *out);

/// `cnx_server_bound_endpoint`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_bound_endpoint_p(cn_server_t *server, cn_endpoint_t *endpoint_out, cn_result_t *out);

/// `cnx_client_bound_endpoint`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_bound_endpoint_p(cn_client_t *client, cn_endpoint_t *endpoint_out, cn_result_t *out);

/// `cnx_server_counters`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_counters_p(cn_server_t *server, struct cnx_counters_t *counters_out, cn_result_t *out);

/// `cnx_client_counters`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_counters_p(cn_client_t *client, struct cnx_counters_t *counters_out, cn_result_t *out);

/// `cnx_client_set_wire`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_set_wire_p(cn_client_t *client, const struct cnx_client_wire_t *wire, cn_result_t *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CUTE_NET_X_H */
