/* Every function of the original and of Cute Framework, declared once more as programs and bindings know them: a
 * header that says otherwise does not compile beside this, and a library without one of them does not link. */
#include "cute_networking.h"
#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cute_net.h v1.03, where the last three and the configuration's are inline. */
int cn_endpoint_init(cn_endpoint_t*, const char*);
void cn_endpoint_to_string(cn_endpoint_t, char*, int);
int cn_endpoint_equals(cn_endpoint_t, cn_endpoint_t);
cn_crypto_key_t cn_crypto_generate_key(void);
void cn_crypto_random_bytes(void*, int);
void cn_crypto_sign_keygen(cn_crypto_sign_public_t*, cn_crypto_sign_secret_t*);
cn_result_t cn_generate_connect_token(uint64_t, uint64_t, const cn_crypto_key_t*, const cn_crypto_key_t*,
    uint64_t, uint32_t, int, const char**, uint64_t, const uint8_t*, const cn_crypto_sign_secret_t*, uint8_t*);
cn_client_t* cn_client_create(uint16_t, uint64_t, bool, void*);
void cn_client_destroy(cn_client_t*);
cn_result_t cn_client_connect(cn_client_t*, const uint8_t*);
void cn_client_disconnect(cn_client_t*);
void cn_client_update(cn_client_t*, double, uint64_t);
bool cn_client_pop_packet(cn_client_t*, void**, int*, bool*);
void cn_client_free_packet(cn_client_t*, void*);
cn_result_t cn_client_send(cn_client_t*, const void*, int, bool);
cn_client_state_t cn_client_state_get(const cn_client_t*);
const char* cn_client_state_string(cn_client_state_t);
void cn_client_enable_network_simulator(cn_client_t*, double, double, double, double);
float cn_client_get_packet_loss_estimate(cn_client_t*);
float cn_client_get_rtt_estimate(cn_client_t*);
float cn_client_get_incoming_kbps_estimate(cn_client_t*);
float cn_client_get_outgoing_kbps_estimate(cn_client_t*);
cn_server_config_t cn_server_config_defaults(void);
cn_server_t* cn_server_create(cn_server_config_t);
void cn_server_destroy(cn_server_t*);
cn_result_t cn_server_start(cn_server_t*, const char*);
void cn_server_stop(cn_server_t*);
bool cn_server_pop_event(cn_server_t*, cn_server_event_t*);
void cn_server_free_packet(cn_server_t*, int, void*);
void cn_server_update(cn_server_t*, double, uint64_t);
void cn_server_disconnect_client(cn_server_t*, int, bool);
cn_result_t cn_server_send(cn_server_t*, const void*, int, int, bool);
bool cn_server_is_client_connected(cn_server_t*, int);
void cn_server_set_public_ip(cn_server_t*, const char*);
void cn_server_enable_network_simulator(cn_server_t*, double, double, double, double);
float cn_server_get_packet_loss_estimate(cn_server_t*, int);
float cn_server_get_rtt_estimate(cn_server_t*, int);
float cn_server_get_incoming_kbps_estimate(cn_server_t*, int);
float cn_server_get_outgoing_kbps_estimate(cn_server_t*, int);
bool cn_is_error(cn_result_t);
cn_result_t cn_error_failure(const char*);
cn_result_t cn_error_success(void);
cn_result_t cn_init(void);

/* cute_networking.h, both generations. */
int cf_address_init(CF_Address*, const char*);
void cf_address_to_string(CF_Address, char*, int);
int cf_address_equals(CF_Address, CF_Address);
CF_CryptoKey cf_crypto_generate_key(void);
void cf_crypto_random_bytes(void*, int);
void cf_crypto_sign_keygen(CF_CryptoSignPublic*, CF_CryptoSignSecret*);
CF_Result cf_generate_connect_token(uint64_t, uint64_t, const CF_CryptoKey*, const CF_CryptoKey*, uint64_t,
    uint32_t, int, const char**, uint64_t, const uint8_t*, const CF_CryptoSignSecret*, uint8_t*);
CF_Client* cf_make_client(uint16_t, uint64_t, bool);
void cf_destroy_client(CF_Client*);
CF_Result cf_client_connect(CF_Client*, const uint8_t*);
void cf_client_disconnect(CF_Client*);
void cf_client_update(CF_Client*, double, uint64_t);
bool cf_client_pop_packet(CF_Client*, void**, int*, bool*);
void cf_client_free_packet(CF_Client*, void*);
CF_Result cf_client_send(CF_Client*, const void*, int, bool);
void cf_client_enable_network_simulator(CF_Client*, double, double, double, double);
CF_ClientState cf_client_state_get(const CF_Client*);
CF_ClientState cf_client_state(const CF_Client*);
CF_ServerConfig cf_server_config_defaults(void);
CF_Server* cf_make_server(CF_ServerConfig);
void cf_destroy_server(CF_Server*);
CF_Result cf_server_start(CF_Server*, const char*);
void cf_server_stop(CF_Server*);
bool cf_server_pop_event(CF_Server*, CF_ServerEvent*);
void cf_server_free_packet(CF_Server*, int, void*);
void cf_server_update(CF_Server*, double, uint64_t);
void cf_server_disconnect_client(CF_Server*, int, bool);
CF_Result cf_server_send(CF_Server*, const void*, int, int, bool);
bool cf_server_is_client_connected(CF_Server*, int);
void cf_server_set_public_ip(CF_Server*, const char*);
void cf_server_enable_network_simulator(CF_Server*, double, double, double, double);

/* cute_networking.h, the later generation. */
float cf_client_rtt(CF_Client*);
float cf_client_packet_loss(CF_Client*);
float cf_client_incoming_kbps(CF_Client*);
float cf_client_outgoing_kbps(CF_Client*);
float cf_server_rtt(CF_Server*, int);
float cf_server_packet_loss(CF_Server*, int);
float cf_server_incoming_kbps(CF_Server*, int);
float cf_server_outgoing_kbps(CF_Server*, int);
void cf_server_send_to_all(CF_Server*, const void*, int, bool);
void cf_client_channel_options(CF_Client*, int, int, bool);
void cf_client_set_send_rate(CF_Client*, int);
CF_Result cf_client_send_msg(CF_Client*, int, uint32_t, const void*, int);
bool cf_client_pop_msg(CF_Client*, uint32_t*, void**, int*);
void cf_client_free_msg(CF_Client*, void*);
void cf_server_channel_options(CF_Server*, int, int, bool);
void cf_server_set_send_rate(CF_Server*, int);
CF_Result cf_server_send_msg(CF_Server*, int, int, uint32_t, const void*, int);
bool cf_server_pop_msg(CF_Server*, int*, uint32_t*, void**, int*);
void cf_server_free_msg(CF_Server*, void*);
void cf_client_set_wire(CF_Client*, CF_ClientWire);
CF_Result cf_client_web_wire(CF_Client*, const char*);
int cf_snapshot_compress(const void*, const void*, int, void*, int);
int cf_snapshot_decompress(const void*, int, const void*, int, void*);
CF_Server* cf_make_server_insecure(uint64_t);
CF_Result cf_client_connect_insecure(CF_Client*, const char*, uint64_t);
void cf_client_tick(CF_Client*);
void cf_server_tick(CF_Server*);

#ifdef __cplusplus
}
#endif

typedef void (*function_t)(void);
#define ADDRESS(name) (function_t)&name

int main(void)
{
    const function_t functions[] = {
        ADDRESS(cn_endpoint_init), ADDRESS(cn_endpoint_to_string), ADDRESS(cn_endpoint_equals),
        ADDRESS(cn_crypto_generate_key), ADDRESS(cn_crypto_random_bytes), ADDRESS(cn_crypto_sign_keygen),
        ADDRESS(cn_generate_connect_token), ADDRESS(cn_client_create), ADDRESS(cn_client_destroy),
        ADDRESS(cn_client_connect), ADDRESS(cn_client_disconnect), ADDRESS(cn_client_update),
        ADDRESS(cn_client_pop_packet), ADDRESS(cn_client_free_packet), ADDRESS(cn_client_send),
        ADDRESS(cn_client_state_get), ADDRESS(cn_client_state_string), ADDRESS(cn_client_enable_network_simulator),
        ADDRESS(cn_client_get_packet_loss_estimate), ADDRESS(cn_client_get_rtt_estimate),
        ADDRESS(cn_client_get_incoming_kbps_estimate), ADDRESS(cn_client_get_outgoing_kbps_estimate),
        ADDRESS(cn_server_config_defaults), ADDRESS(cn_server_create), ADDRESS(cn_server_destroy),
        ADDRESS(cn_server_start), ADDRESS(cn_server_stop), ADDRESS(cn_server_pop_event),
        ADDRESS(cn_server_free_packet), ADDRESS(cn_server_update), ADDRESS(cn_server_disconnect_client),
        ADDRESS(cn_server_send), ADDRESS(cn_server_is_client_connected), ADDRESS(cn_server_set_public_ip),
        ADDRESS(cn_server_enable_network_simulator), ADDRESS(cn_server_get_packet_loss_estimate),
        ADDRESS(cn_server_get_rtt_estimate), ADDRESS(cn_server_get_incoming_kbps_estimate),
        ADDRESS(cn_server_get_outgoing_kbps_estimate), ADDRESS(cn_is_error), ADDRESS(cn_error_failure),
        ADDRESS(cn_error_success), ADDRESS(cf_address_init), ADDRESS(cf_address_to_string),
        ADDRESS(cf_address_equals), ADDRESS(cf_crypto_generate_key), ADDRESS(cf_crypto_random_bytes),
        ADDRESS(cf_crypto_sign_keygen), ADDRESS(cf_generate_connect_token), ADDRESS(cf_make_client),
        ADDRESS(cf_destroy_client), ADDRESS(cf_client_connect), ADDRESS(cf_client_disconnect),
        ADDRESS(cf_client_update), ADDRESS(cf_client_pop_packet), ADDRESS(cf_client_free_packet),
        ADDRESS(cf_client_send), ADDRESS(cf_client_enable_network_simulator), ADDRESS(cf_client_state_get),
        ADDRESS(cf_client_state), ADDRESS(cf_server_config_defaults), ADDRESS(cf_make_server),
        ADDRESS(cf_destroy_server), ADDRESS(cf_server_start), ADDRESS(cf_server_stop),
        ADDRESS(cf_server_pop_event), ADDRESS(cf_server_free_packet), ADDRESS(cf_server_update),
        ADDRESS(cf_server_disconnect_client), ADDRESS(cf_server_send), ADDRESS(cf_server_is_client_connected),
        ADDRESS(cf_server_set_public_ip), ADDRESS(cf_server_enable_network_simulator), ADDRESS(cf_client_rtt),
        ADDRESS(cf_client_packet_loss), ADDRESS(cf_client_incoming_kbps), ADDRESS(cf_client_outgoing_kbps),
        ADDRESS(cf_server_rtt), ADDRESS(cf_server_packet_loss), ADDRESS(cf_server_incoming_kbps),
        ADDRESS(cf_server_outgoing_kbps), ADDRESS(cf_server_send_to_all), ADDRESS(cf_client_channel_options),
        ADDRESS(cf_client_set_send_rate), ADDRESS(cf_client_send_msg), ADDRESS(cf_client_pop_msg),
        ADDRESS(cf_client_free_msg), ADDRESS(cf_server_channel_options), ADDRESS(cf_server_set_send_rate),
        ADDRESS(cf_server_send_msg), ADDRESS(cf_server_pop_msg), ADDRESS(cf_server_free_msg),
        ADDRESS(cf_client_set_wire), ADDRESS(cf_client_web_wire), ADDRESS(cf_snapshot_compress),
        ADDRESS(cf_snapshot_decompress), ADDRESS(cf_make_server_insecure), ADDRESS(cf_client_connect_insecure),
        ADDRESS(cf_client_tick), ADDRESS(cf_server_tick)
    };
    size_t i;
    CF_ClientWire wire;
    int (*send)(void*, const void*, int) = NULL;
    int (*recv)(void*, void*, int) = NULL;
    use_everything();
    for (i = 0; i < sizeof(functions) / sizeof(functions[0]); ++i) CHECK(functions[i] != NULL);
    CHECK(i == 100);
    wire.udata = NULL;
    wire.send = send;
    wire.recv = recv;
    CHECK(wire.udata == NULL && wire.send == NULL && wire.recv == NULL);
    return 0;
}
