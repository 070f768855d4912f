/* A client whose datagrams travel over functions of the program; a server at several addresses. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct pipe_t
{
    int socket;
    struct sockaddr_in to;
    cn_client_t* client; /* to be misused from inside */
    int sent, received;
} pipe_t;

static int pipe_send(void* udata, const void* data, int size)
{
    pipe_t* pipe = (pipe_t*)udata;
    CHECK(size > 0 && size <= 1200);
    ++pipe->sent;
    /* A callback that uses its own client gets nothing, and breaks nothing. */
    CHECK(cn_client_state_get(pipe->client) == CN_CLIENT_STATE_DISCONNECTED);
    cn_client_destroy(pipe->client);
    return (int)sendto(pipe->socket, data, (size_t)size, 0, (struct sockaddr*)&pipe->to, sizeof(pipe->to));
}

static int pipe_recv(void* udata, void* data, int size)
{
    pipe_t* pipe = (pipe_t*)udata;
    int length = (int)recv(pipe->socket, data, (size_t)size, MSG_DONTWAIT);
    pipe->received += length > 0;
    return length;
}

static void pipe_open(pipe_t* pipe, cn_client_t* client, const char* ip, uint16_t port)
{
    cnx_client_wire_t wire;
    memset(pipe, 0, sizeof(*pipe));
    pipe->socket = socket(AF_INET, SOCK_DGRAM, 0);
    pipe->client = client;
    pipe->to.sin_family = AF_INET;
    pipe->to.sin_port = htons(port);
    inet_pton(AF_INET, ip, &pipe->to.sin_addr);
    wire.udata = pipe;
    wire.send = pipe_send;
    wire.recv = pipe_recv;
    CHECK_OK(cnx_client_set_wire(client, &wire));
    wire.send = NULL;
    CHECK_FAILS(cnx_client_set_wire(client, &wire), "`wire->send` is NULL.");
    wire.send = pipe_send;
    wire.recv = NULL;
    CHECK_FAILS(cnx_client_set_wire(client, &wire), "`wire->recv` is NULL.");
}

static void a_client_plays_over_a_wire(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_endpoint_t endpoint;
    pipe_t pipe;
    int i;
    session_start(&session);
    CHECK_OK(cnx_server_bound_endpoint(session.server, &endpoint));
    pipe_open(&pipe, client, "127.0.0.1", endpoint.port);
    session_connect(&session, client, 1);
    for (i = 0; i < 20; ++i) {
        CHECK_OK(cn_client_send(client, "over the wire", 14, true));
        CHECK_OK(cn_server_send(session.server, "and back", 9, 0, true));
        session_tick(&session, &client, 1, TICK);
    }
    for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 20 && client_pop_all(client) == 20);
    CHECK(pipe.sent > 10 && pipe.received > 10);
    cn_client_disconnect(client);
    session_tick(&session, &client, 1, TICK);
    CHECK(session.disconnected == 1);
    /* And over UDP again. */
    CHECK_OK(cnx_client_set_wire(client, NULL));
    pipe.sent = 0;
    session_connect(&session, client, 1);
    CHECK(pipe.sent == 0);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    close(pipe.socket);
}

/* D45: bound to a wildcard, a server goes by where a datagram was really sent. */
static void d45_a_wildcard_server_takes_tokens_for_where_it_was_reached(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_counters_t counters;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_endpoint_t endpoint;
    char address[64];
    pipe_t pipe;
    int i;
    memset(&session, 0, sizeof(session));
    cn_crypto_sign_keygen(&session.public_key, &session.secret_key);
    session_start_at(&session, cn_server_create(session_config(&session)), "0.0.0.0:0");
    CHECK_OK(cnx_server_bound_endpoint(session.server, &endpoint));
    endpoint.u.ipv4[0] = 127;
    endpoint.u.ipv4[3] = 2;
    cn_endpoint_to_string(endpoint, address, (int)sizeof(address));
    make_token(token, &session.secret_key, address, 1);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_client_disconnect(client);
    session_tick(&session, &client, 1, TICK);

    /* A token for 127.0.0.2, shown at 127.0.0.3. */
    pipe_open(&pipe, client, "127.0.0.3", endpoint.port);
    make_token(token, &session.secret_key, address, 1);
    CHECK_OK(cn_client_connect(client, token));
    /* The client gives the server two seconds to say otherwise. */
    for (i = 0; i < 130; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == STATE_REFUSED);
    memset(&counters, 0, sizeof(counters));
    counters.size = sizeof(counters);
    CHECK_OK(cnx_server_counters(session.server, &counters));
    CHECK(counters.address_not_listed >= 1);

    /* Unless it is one of the server's public addresses. */
    CHECK_OK(cnx_server_add_public_address(session.server, "203.0.113.7:5000"));
    cn_server_set_public_ip(session.server, address);
    make_token(token, &session.secret_key, address, 1);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    close(pipe.socket);
}

static void one_server_serves_both_families(void)
{
    session_t session;
    cn_client_t* clients[2];
    cn_endpoint_t endpoints[2];
    char address[2][64];
    int family, i;
    memset(&session, 0, sizeof(session));
    cn_crypto_sign_keygen(&session.public_key, &session.secret_key);
    session.server = cn_server_create(session_config(&session));
    CHECK_FAILS(cnx_server_start_dual(session.server, "[::1]:0", "127.0.0.1:0"), "Pass an IPv4 address, then an IPv6 address, not ::1 and 127.0.0.1.");
    CHECK_FAILS(cnx_server_start_dual(session.server, "127.0.0.1:0", "[::1"), "Unable to initialize endpoint.");
    CHECK(cnx_server_bound_endpoints(session.server, endpoints, 2) == 0);
    CHECK_OK(cnx_server_start_dual(session.server, "127.0.0.1:0", "[::1]:0"));
    CHECK_FAILS(cnx_server_start_dual(session.server, "127.0.0.1:0", "[::1]:0"), "The server runs already");
    CHECK(cnx_server_bound_endpoints(session.server, endpoints, 2) == 2);
    for (family = 0; family < 2; ++family) {
        /* Whatever `use_ipv6` says. */
        clients[family] = cn_client_create(0, APPLICATION_ID, family == 0, NULL);
        cn_endpoint_to_string(endpoints[family], address[family], 64);
        strcpy(session.address, address[family]);
        session_connect(&session, clients[family], (uint64_t)family + 1);
    }
    for (i = 0; i < 20; ++i) {
        CHECK_OK(cn_server_send(session.server, "to both", 8, 0, true));
        CHECK_OK(cn_server_send(session.server, "to both", 8, 1, false));
        session_tick(&session, clients, 2, TICK);
    }
    for (i = 0; i < 5; ++i) session_tick(&session, clients, 2, TICK);
    for (family = 0; family < 2; ++family) CHECK(client_pop_all(clients[family]) == 20);

    /* A list with both families, whose first server is not there. */
    {
        cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        const char* list[2];
        list[0] = "[::1]:9";
        list[1] = address[0];
        CHECK_OK(cn_generate_connect_token(APPLICATION_ID, unix_now(), &up, &down, unix_now() + 60, 1, 2, list, 3,
            NULL, &session.secret_key, token));
        CHECK_OK(cn_client_connect(clients[1], token));
        for (i = 0; i < 100; ++i) session_tick(&session, clients, 2, TICK);
        CHECK(cn_client_state_get(clients[1]) == CN_CLIENT_STATE_CONNECTED);
    }
    for (family = 0; family < 2; ++family) cn_client_destroy(clients[family]);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    a_client_plays_over_a_wire();
    d45_a_wildcard_server_takes_tokens_for_where_it_was_reached();
    one_server_serves_both_families();
    return 0;
}
