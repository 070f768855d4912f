/* The pointer forms of the functions that take or return structs by value: a whole game without one. */
#include "check.h"

#define OK(result) do { if (cnx_is_error_p(&(result))) { fprintf(stderr, "%s\n", (result).details); CHECK(0); } } while (0)

int main(void)
{
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
    cn_crypto_key_t up, down;
    cn_server_config_t config;
    cn_server_t* server;
    cn_client_t* client = cn_client_create(0, 7, false, NULL);
    cn_endpoint_t endpoint, same;
    cn_result_t result;
    cn_server_event_t event;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    char text[64];
    const char* address = text;
    int i, packets = 0;
    use_everything();
    cnx_server_config_defaults_p(&config);
    CHECK(config.connection_timeout == 10);
    cn_crypto_sign_keygen(&public_key, &secret_key);
    config.application_id = 7;
    config.public_key = public_key;
    config.secret_key = secret_key;
    server = cnx_server_create_p(&config, 5);
    CHECK(cnx_server_max_clients(server) == 5);
    cnx_server_start_p(server, "127.0.0.1:0", &result);
    OK(result);
    cnx_server_set_max_clients_p(server, 3, &result);
    CHECK(cnx_is_error_p(&result));
    cnx_server_bound_endpoint_p(server, &endpoint, &result);
    OK(result);
    cnx_endpoint_to_string_p(&endpoint, text, (int)sizeof(text));
    CHECK(cn_endpoint_init(&same, text) == 0 && cnx_endpoint_equals_p(&endpoint, &same) == 1);
    cnx_crypto_generate_key_p(&up);
    cnx_crypto_generate_key_p(&down);
    cnx_generate_connect_token_p(7, unix_now(), &up, &down, unix_now() + 60, 5, 1, &address, 1, NULL, &secret_key, token,
        &result);
    OK(result);
    cnx_client_connect_p(client, token, &result);
    OK(result);
    for (i = 0; i < 20; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(server, TICK, unix_now());
    }
    cnx_client_send_p(client, "x", 1, true, &result);
    OK(result);
    cnx_server_send_p(server, "y", 1, 0, true, &result);
    OK(result);
    for (i = 0; i < 5; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(server, TICK, unix_now());
        while (cn_server_pop_event(server, &event)) {
            if (event.type != CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) continue;
            ++packets;
            cn_server_free_packet(server, 0, event.u.payload_packet.data);
        }
    }
    CHECK(packets == 1 && client_pop_all(client) == 1);
    cnx_client_send_p(client, NULL, 1, true, NULL);
    cnx_error_failure_p("no", &result);
    CHECK(cnx_is_error_p(&result) && strcmp(result.details, "no") == 0);
    cnx_error_success_p(&result);
    OK(result);
    cnx_init_p(&result);
    OK(result);
    CHECK(cnx_endpoint_equals_p(NULL, &same) == 0 && cnx_server_create_p(NULL, 5) == NULL);
    cn_client_destroy(client);
    cn_server_destroy(server);
    return 0;
}
