/* The order in which a server tells its program of things: as the original does, but that the packets of a client
 * that is gone come before the news that it is gone. */
#include "check.h"

enum { CLIENTS = 4 };

static cn_client_t* clients[CLIENTS];

/* The events of one update as text: `+1` client 1 came, `-1` it is gone, `1:r1` its packet. */
static const char* events(session_t* session)
{
    static char text[512];
    size_t length = 0;
    cn_server_event_t event;
    text[0] = 0;
    while (cn_server_pop_event(session->server, &event)) {
        const char* before = length == 0 ? "" : " ";
        switch (event.type) {
        case CN_SERVER_EVENT_TYPE_NEW_CONNECTION:
            length += (size_t)sprintf(text + length, "%s+%d", before, event.u.new_connection.client_index);
            break;
        case CN_SERVER_EVENT_TYPE_DISCONNECTED:
            length += (size_t)sprintf(text + length, "%s-%d", before, event.u.disconnected.client_index);
            break;
        case CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET:
            length += (size_t)sprintf(text + length, "%s%d:%s", before, event.u.payload_packet.client_index,
                (const char*)event.u.payload_packet.data);
            cn_server_free_packet(session->server, event.u.payload_packet.client_index, event.u.payload_packet.data);
            break;
        }
        CHECK(length < sizeof(text) - 32);
    }
    return text;
}

static void expect(session_t* session, const char* expected)
{
    const char* told;
    cn_server_update(session->server, TICK, unix_now());
    told = events(session);
    if (strcmp(told, expected) != 0) fprintf(stderr, "told: %s\nexpected: %s\n", told, expected);
    CHECK(strcmp(told, expected) == 0);
}

static void begin(session_t* session, int client, uint64_t id)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    make_token(token, &session->secret_key, session->address, id);
    CHECK_OK(cn_client_connect(clients[client], token));
    cn_client_update(clients[client], TICK, unix_now());
}

static void send_to_server(int client, const char* text)
{
    CHECK_OK(cn_client_send(clients[client], text, (int)strlen(text) + 1, text[0] == 'r'));
}

static void the_originals_order(void)
{
    session_t session;
    int i;
    session_start(&session);
    for (i = 0; i < CLIENTS; ++i) clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);

    /* Connections, as they happen; the lowest free index. */
    begin(&session, 2, 20);
    begin(&session, 0, 21);
    begin(&session, 1, 22);
    expect(&session, "");
    cn_client_update(clients[1], TICK, unix_now());
    cn_client_update(clients[2], TICK, unix_now());
    cn_client_update(clients[0], TICK, unix_now());
    expect(&session, "+0 +1 +2"); /* clients 1, 2 and 0 */
    for (i = 0; i < 3; ++i) cn_client_update(clients[i], TICK, unix_now());
    expect(&session, "");

    /* Packets by client index, reliable ones first, whenever they came. */
    for (i = 0; i < 3; ++i) {
        static const int order[] = { 0, 2, 1 }; /* indices 2, 1, 0 */
        send_to_server(order[i], "u1");
        send_to_server(order[i], "r1");
        send_to_server(order[i], "u2");
        send_to_server(order[i], "r2");
        cn_client_update(clients[order[i]], TICK, unix_now());
    }
    expect(&session, "0:r1 0:r2 0:u1 0:u2 1:r1 1:r2 1:u1 1:u2 2:r1 2:r2 2:u1 2:u2");

    /* News comes before the packets of others, even those that came before it. */
    send_to_server(2, "u3"); /* index 1 */
    cn_client_disconnect(clients[0]); /* index 2 */
    expect(&session, "-2 1:u3");

    /* A new connection takes the free index and comes before packets, too. */
    begin(&session, 3, 23);
    expect(&session, "");
    send_to_server(1, "u4");
    cn_client_update(clients[3], TICK, unix_now());
    expect(&session, "+2 0:u4");
    cn_client_update(clients[3], TICK, unix_now());
    expect(&session, "");

    /* Ours: what a client said before it left comes before the news, which still comes before the others' packets. */
    send_to_server(1, "u5");
    send_to_server(3, "u6");
    send_to_server(3, "r3");
    cn_client_disconnect(clients[3]);
    expect(&session, "2:r3 2:u6 -2 0:u5");

    /* A client that is sent away by the program is news of the next update. */
    cn_server_disconnect_client(session.server, 0, true);
    send_to_server(2, "u7");
    expect(&session, "-0 1:u7");

    /* Nothing is told twice. */
    cn_client_disconnect(clients[2]);
    expect(&session, "-1");
    expect(&session, "");
    for (i = 0; i < CLIENTS; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
}

static void a_client_pops_reliable_packets_first(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    static const char* const expected[] = { "r1", "r2", "u1", "u2" };
    int i, size;
    void* packet;
    bool reliably;
    session_start(&session);
    session_connect(&session, client, 1);
    CHECK_OK(cn_server_send(session.server, "u1", 3, 0, false));
    CHECK_OK(cn_server_send(session.server, "r1", 3, 0, true));
    CHECK_OK(cn_server_send(session.server, "u2", 3, 0, false));
    CHECK_OK(cn_server_send(session.server, "r2", 3, 0, true));
    cn_server_update(session.server, TICK, unix_now());
    cn_client_update(client, TICK, unix_now());
    for (i = 0; i < 4; ++i) {
        CHECK(cn_client_pop_packet(client, &packet, &size, &reliably));
        CHECK(strcmp((const char*)packet, expected[i]) == 0 && reliably == (i < 2));
        cn_client_free_packet(client, packet);
    }
    CHECK(!cn_client_pop_packet(client, &packet, &size, &reliably));
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        the_originals_order();
        a_client_pops_reliable_packets_first();
    }
    return 0;
}
