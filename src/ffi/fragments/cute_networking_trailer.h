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
