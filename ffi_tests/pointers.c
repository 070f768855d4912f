/* The pointer forms of the functions that take or return structs by value: a whole game without one. */
#include "check.h"

#define OK(result) do { if (cnx_is_error_p(&(result))) { fprintf(stderr, "%s\n", (result).details); CHECK(0); } } while (0)

#define FAILS(result) CHECK(cnx_is_error_p(&(result)) && (result).details != NULL)

/* Those of a server that runs and has a client at `client_index`. */
static void the_servers(cn_server_t* server, int client_index)
{
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
    cn_server_t* dual;
    cn_server_config_t config;
    cn_endpoint_t endpoint;
    cn_result_t result;
    cnx_counters_t counters;
    uint8_t user_data[CN_CONNECT_TOKEN_USER_DATA_SIZE];
    int indices[2];
    indices[0] = client_index;
    indices[1] = client_index + 1;
    cnx_server_set_memory_p(server, 1 << 26, &result); /* too late: it runs */
    FAILS(result);
    cnx_server_client_user_data_p(server, client_index, user_data, &result);
    OK(result);
    cnx_server_client_user_data_p(server, client_index + 1, user_data, &result);
    FAILS(result);
    cnx_server_add_public_address_p(server, "203.0.113.7:40000", &result);
    OK(result);
    cnx_server_add_public_address_p(server, "nonsense", &result);
    FAILS(result);
    cnx_server_send_many_p(server, "z", 1, indices, 1, true, &result);
    OK(result);
    cnx_server_send_many_p(server, "z", 1, indices, 2, true, &result); /* one is nobody, the other gets it */
    FAILS(result);
    cn_crypto_sign_keygen(&public_key, &secret_key);
    cnx_server_add_key_p(server, &public_key, &secret_key, &result);
    OK(result);
    cnx_server_remove_key_p(server, &public_key, &result);
    OK(result);
    cnx_server_remove_key_p(server, &public_key, &result);
    FAILS(result);
    counters.size = (uint32_t)sizeof(counters);
    cnx_server_counters_p(server, &counters, &result);
    OK(result);
    CHECK(counters.received > 0);

    cnx_server_config_defaults_p(&config);
    config.public_key = public_key;
    config.secret_key = secret_key;
    dual = cnx_server_create_p(&config, 2);
    cnx_server_set_memory_p(dual, 1 << 26, &result);
    OK(result);
    cnx_server_start_dual_p(dual, "127.0.0.1:0", "nonsense", &result);
    FAILS(result);
    cnx_server_start_dual_p(dual, "127.0.0.1:0", "[::1]:0", &result);
    OK(result);
    cnx_server_bound_endpoint_p(dual, &endpoint, &result);
    OK(result);
    CHECK(endpoint.port != 0);
    cnx_server_set_memory_p(dual, 1 << 27, NULL);
    cn_server_destroy(dual);
}

static int send_nothing(void* udata, const void* data, int size)
{
    (void)udata;
    (void)data;
    return size;
}

static int receive_nothing(void* udata, void* data, int size)
{
    (void)udata;
    (void)data;
    (void)size;
    return 0;
}

/* Those of a client that has not connected yet. */
static void the_clients(cn_client_t* client)
{
    cnx_client_wire_t wire;
    cn_endpoint_t endpoint;
    cn_result_t result;
    wire.udata = NULL;
    wire.send = send_nothing;
    wire.recv = receive_nothing;
    cnx_client_set_wire_p(client, &wire, &result);
    OK(result);
    wire.recv = NULL;
    cnx_client_set_wire_p(client, &wire, &result);
    FAILS(result);
    cnx_client_set_wire_p(client, NULL, &result);
    OK(result);
    cnx_client_bound_endpoint_p(client, &endpoint, &result);
    FAILS(result);
}

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
    the_clients(client);
    cnx_client_connect_p(client, token, &result);
    OK(result);
    for (i = 0; i < 20; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(server, TICK, unix_now());
    }
    the_servers(server, 0);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
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
    CHECK(packets == 1 && client_pop_all(client) == 3);
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
