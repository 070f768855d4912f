/*
 * cute_net_pointers.h: the functions that take or return structs by value, in a form that passes pointers.
 *
 * For languages that can't pass structs by value; C and C++ need none of it. cute_net_x.h includes it.
 *
 * Each function does what the one without `_p` does, and the rules of cute_net.h hold. A struct that is passed becomes
 * a pointer, which is only read. A struct that is returned is written to the last parameter, `out`.
 *
 *     cn_result_t result;
 *     cnx_client_connect_p(client, connect_token, &result);
 *     if (cnx_is_error_p(&result)) puts(result.details);
 */

#ifndef CUTE_NET_POINTERS_H
#define CUTE_NET_POINTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cute_net_x.h"

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

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
void cnx_client_send_p(cn_client_t *client, const void *packet, int size, bool send_reliably, cn_result_t *out);

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

/// `cnx_server_set_memory`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_set_memory_p(cn_server_t *server, uint64_t bytes, cn_result_t *out);

/// `cnx_server_client_user_data`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_client_user_data_p(cn_server_t *server, int client_index, uint8_t *user_data_out, cn_result_t *out);

/// `cnx_server_add_public_address`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_add_public_address_p(cn_server_t *server, const char *address_and_port, cn_result_t *out);

/// `cnx_server_send_many`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_send_many_p(cn_server_t *server,
                            const void *packet,
                            int size,
                            const int *client_indices,
                            int count,
                            bool send_reliably,
                            cn_result_t *out);

/// `cnx_server_add_key`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_add_key_p(cn_server_t *server,
                          const cn_crypto_sign_public_t *public_key,
                          const cn_crypto_sign_secret_t *secret_key,
                          cn_result_t *out);

/// `cnx_server_remove_key`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_remove_key_p(cn_server_t *server, const cn_crypto_sign_public_t *public_key, cn_result_t *out);

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
void cnx_server_counters_p(cn_server_t *server, cnx_counters_t *counters_out, cn_result_t *out);

/// `cnx_client_counters`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_counters_p(cn_client_t *client, cnx_counters_t *counters_out, cn_result_t *out);

/// `cnx_client_send_with`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_send_with_p(cn_client_t *client,
                            const void *data,
                            int size,
                            const cnx_send_options_t *options,
                            cn_result_t *out);

/// `cnx_server_send_with`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_send_with_p(cn_server_t *server,
                            const void *data,
                            int size,
                            int client_index,
                            const cnx_send_options_t *options,
                            cn_result_t *out);

/// `cnx_client_set_channel_priority`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_set_channel_priority_p(cn_client_t *client, int channel, int priority, cn_result_t *out);

/// `cnx_server_set_channel_priority`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_set_channel_priority_p(cn_server_t *server, int channel, int priority, cn_result_t *out);

/// `cnx_client_statistics`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_statistics_p(cn_client_t *client, cnx_statistics_t *statistics_out, cn_result_t *out);

/// `cnx_server_client_statistics`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_client_statistics_p(cn_server_t *server,
                                    int client_index,
                                    cnx_statistics_t *statistics_out,
                                    cn_result_t *out);

/// `cnx_client_set_wire`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_set_wire_p(cn_client_t *client, const cnx_client_wire_t *wire, cn_result_t *out);

/// `cnx_client_disconnect_with`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_disconnect_with_p(cn_client_t *client, int reason, const void *data, int size, cn_result_t *out);

/// `cnx_server_disconnect_client_with`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_disconnect_client_with_p(cn_server_t *server,
                                         int client_index,
                                         int reason,
                                         const void *data,
                                         int size,
                                         cn_result_t *out);

/// `cnx_client_set_simulator`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_client_set_simulator_p(cn_client_t *client,
                                const cnx_simulator_t *outgoing,
                                const cnx_simulator_t *incoming,
                                uint64_t seed,
                                cn_result_t *out);

/// `cnx_server_set_simulator`, whose result is written to `out`. Does nothing if `out` is NULL.
void cnx_server_set_simulator_p(cn_server_t *server,
                                const cnx_simulator_t *outgoing,
                                const cnx_simulator_t *incoming,
                                uint64_t seed,
                                cn_result_t *out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CUTE_NET_POINTERS_H */
