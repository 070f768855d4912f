/* Programs that act while they pop: on the server inside its event loop, on the client inside its packet loop. */
#include "check.h"

enum { CLIENTS = 4 };

static session_t session;
static cn_client_t* clients[CLIENTS];

static void begin(void)
{
    int i;
    session_start(&session);
    for (i = 0; i < CLIENTS; ++i) {
        clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        session_connect(&session, clients[i], 1 + (uint64_t)i);
    }
    CHECK(session.connected == CLIENTS);
}

static void end(void)
{
    int i;
    for (i = 0; i < CLIENTS; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
}

/* Every client sends two packets, which the server then has. */
static void packets_wait(void)
{
    int i;
    for (i = 0; i < CLIENTS; ++i) {
        CHECK_OK(cn_client_send(clients[i], "first", 6, true));
        CHECK_OK(cn_client_send(clients[i], "second", 7, true));
        cn_client_update(clients[i], TICK, unix_now());
    }
    cn_server_update(session.server, TICK, unix_now());
}

static void take(const cn_server_event_t* event)
{
    if (event->type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET)
        cn_server_free_packet(session.server, event->u.payload_packet.client_index, event->u.payload_packet.data);
}

/* The first packet of anybody sends everybody away, some twice: what they had said is still told, then that they left. */
static void everybody_is_sent_away(void)
{
    cn_server_event_t event;
    int packets = 0, left = 0, i, tick;
    begin();
    packets_wait();
    for (tick = 0; tick < 3; ++tick) {
        while (cn_server_pop_event(session.server, &event)) {
            if (event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED) {
                ++left;
                /* "Somebody has left", to everybody: of whom nobody is there. */
                for (i = 0; i < CLIENTS; ++i)
                    CHECK_FAILS(cn_server_send(session.server, "left", 5, i, true), "Client is not connected.");
                continue;
            }
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            ++packets;
            for (i = CLIENTS; i >= 0; --i) cn_server_disconnect_client(session.server, i, i % 2 == 0);
            take(&event);
        }
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK(packets == 2 * CLIENTS && left == CLIENTS && cnx_server_client_count(session.server) == 0);
    end();
}

/* The server stops, starts, updates and pops within its own loop; nothing is told twice. */
static void the_server_updates_stops_and_starts(void)
{
    cn_server_event_t event, inner;
    int packets = 0, left = 0, stopped = 0;
    begin();
    packets_wait();
    while (cn_server_pop_event(session.server, &event)) {
        packets += event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET;
        left += event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED;
        if (packets == 3) cn_server_update(session.server, TICK, unix_now());
        if (packets == 4 && !stopped) {
            stopped = 1;
            cn_server_stop(session.server);
            cn_server_update(session.server, TICK, unix_now());
            if (cn_server_pop_event(session.server, &inner)) {
                packets += inner.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET;
                left += inner.type == CN_SERVER_EVENT_TYPE_DISCONNECTED;
                take(&inner);
            }
        }
        take(&event);
    }
    CHECK(packets == 2 * CLIENTS && left == CLIENTS);

    CHECK_OK(cn_server_start(session.server, session.address));
    session.connected = 0;
    session_connect(&session, clients[0], 1);
    CHECK_OK(cn_client_send(clients[0], "before the restart", 19, false));
    cn_server_update(session.server, TICK, unix_now());
    while (cn_server_pop_event(session.server, &event)) {
        cn_server_stop(session.server);
        CHECK_OK(cn_server_start(session.server, session.address));
        take(&event);
    }
    session_connect(&session, clients[1], 2);
    CHECK(session.connected == 2 && cnx_server_client_count(session.server) == 1);
    end();
}

/* Replies, many of them, from inside the loop; with updates of the other end in between. */
static void replies_are_sent(void)
{
    cn_server_event_t event;
    int i, tick, replies = 0;
    begin();
    for (tick = 0; tick < 20; ++tick) {
        packets_wait();
        while (cn_server_pop_event(session.server, &event)) {
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            for (i = 0; i < CLIENTS; ++i)
                CHECK_OK(cn_server_send(session.server, event.u.payload_packet.data, event.u.payload_packet.size, i, true));
            take(&event);
        }
    }
    for (tick = 0; tick < 60; ++tick) {
        session_tick(&session, clients, CLIENTS, TICK);
        for (i = 0; i < CLIENTS; ++i) replies += client_pop_all(clients[i]);
    }
    CHECK(replies == 20 * 2 * CLIENTS * CLIENTS);
    end();
}

/* A client that answers, leaves, updates and connects again while it pops. */
static void a_client_leaves_and_comes_back(void)
{
    void* packet;
    int size, i, popped = 0;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    begin();
    for (i = 0; i < 5; ++i) CHECK_OK(cn_server_send(session.server, "go away", 8, 0, true));
    cn_server_update(session.server, TICK, unix_now());
    cn_client_update(clients[0], TICK, unix_now());
    while (cn_client_pop_packet(clients[0], &packet, &size, NULL)) {
        CHECK(size == 8);
        ++popped;
        if (popped == 1) CHECK_OK(cn_client_send(clients[0], "as you like", 12, false));
        if (popped == 2) cn_client_update(clients[0], TICK, unix_now());
        if (popped == 3) cn_client_disconnect(clients[0]);
        if (popped == 4) cn_client_update(clients[0], TICK, unix_now());
        cn_client_free_packet(clients[0], packet);
    }
    CHECK(popped == 5); /* what was received before it left */
    session_tick(&session, clients, CLIENTS, TICK);
    CHECK(session.packets == 1 && session.disconnected == 1);

    session_connect(&session, clients[0], 1);
    for (i = 0; i < 5; ++i) CHECK_OK(cn_server_send(session.server, "once more", 10, session.newest, true));
    cn_server_update(session.server, TICK, unix_now());
    cn_client_update(clients[0], TICK, unix_now());
    CHECK(cn_client_pop_packet(clients[0], &packet, &size, NULL));
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_OK(cn_client_connect(clients[0], token)); /* a new connection begins: the rest was the old one's */
    cn_client_free_packet(clients[0], packet);
    CHECK(!cn_client_pop_packet(clients[0], &packet, &size, NULL));
    for (i = 0; i < 10; ++i) session_tick(&session, clients, CLIENTS, TICK);
    CHECK(cn_client_state_get(clients[0]) == CN_CLIENT_STATE_CONNECTED && session.connected == CLIENTS + 2);
    end();
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        everybody_is_sent_away();
        the_server_updates_stops_and_starts();
        replies_are_sent();
        a_client_leaves_and_comes_back();
    }
    return 0;
}
