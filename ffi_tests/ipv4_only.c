/* CUTE_NET_NO_IPV6: IPv4 alone is seen and taken; the layout is the same. */
#define CUTE_NET_NO_IPV6
#include "check.h"

int main(void)
{
    session_t session;
    cn_endpoint_t endpoint;
    cn_client_t* client;
    const char* addresses[2] = { "127.0.0.1:5000", "[::1]:5000" };
    cn_crypto_key_t key = cn_crypto_generate_key();
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    use_everything();
    CHECK(sizeof(cn_endpoint_t) == 24);
    CHECK(cn_endpoint_init(&endpoint, "127.0.0.1:5000") == 0 && endpoint.type == CN_ADDRESS_TYPE_IPV4);
    CHECK(cn_endpoint_init(&endpoint, "[::1]:5000") == -1 && endpoint.type == CN_ADDRESS_TYPE_NONE);
    session_start(&session);
    CHECK_FAILS(cn_generate_connect_token(APPLICATION_ID, 1, &key, &key, 2, 5, 2, addresses, 1, NULL,
        &session.secret_key, token), "Unable to initialize endpoint. \"[::1]:5000\" is an IPv6 address");
    CHECK(token[0] == 0);
    cn_server_set_public_ip(session.server, "[::1]:5000");
    cn_server_stop(session.server);
    CHECK_FAILS(cn_server_start(session.server, "[::1]:0"), "Unable to initialize endpoint.");
    session_start_at(&session, session.server, "127.0.0.1:0");

    client = cn_client_create(0, APPLICATION_ID, true, NULL);
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_FAILS(cn_client_connect(client, token), "Unable to open socket. Cute net compiled without IPV6 support");
    cn_client_destroy(client);
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(&session, client, 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    return 0;
}
