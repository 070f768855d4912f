/* cute_net_x.h: simulated networks in both directions, from a seed. On both protocols. */
#include "check.h"

static cnx_simulator_t simulator(void)
{
    cnx_simulator_t network;
    memset(&network, 0, sizeof(network));
    network.size = (uint32_t)sizeof(network);
    return network;
}

static void delays_add_up_in_both_directions(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_simulator_t out = simulator(), in = simulator();
    float rtt;
    int i;
    session_start(&session);
    session_connect(&session, client, 1);
    out.latency_seconds = 0.03;
    in.latency_seconds = 0.07;
    CHECK_OK(cnx_client_set_simulator(client, &out, &in, 1));
    for (i = 0; i < 400; ++i) {
        CHECK_OK(cn_client_send(client, "up", 3, true));
        CHECK_OK(cn_server_send(session.server, "down", 5, 0, true));
        session_tick(&session, &client, 1, TICK);
        client_pop_all(client);
    }
    /* 100 ms, and what waits for updates of either end. */
    rtt = cn_client_get_rtt_estimate(client);
    CHECK(rtt >= 100.0f && rtt < 160.0f);
    /* Perfect again: what is sent in a tick is there in the next. */
    CHECK_OK(cnx_client_set_simulator(client, NULL, NULL, 0));
    for (i = 0; i < 30; ++i) session_tick(&session, &client, 1, TICK);
    client_pop_all(client);
    session.packets = 0;
    CHECK_OK(cn_client_send(client, "up", 3, true));
    CHECK_OK(cn_server_send(session.server, "down", 5, 0, false));
    session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 1 && client_pop_all(client) == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* The numbers of the unreliable packets that arrive, of a thousand each way, as a checksum of each direction. */
static void runs(uint64_t seed, bool on_server, unsigned* up, unsigned* down)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_simulator_t bad = simulator();
    cn_server_event_t event;
    int i, got_up = 0, got_down = 0;
    session_start(&session);
    session_connect(&session, client, 1);
    for (i = 0; i < 60; ++i) session_tick(&session, &client, 1, 0); /* what the connection says by itself is said */
    bad.drop_chance = 0.3;
    *up = *down = 0;
    if (on_server) CHECK_OK(cnx_server_set_simulator(session.server, &bad, &bad, seed));
    else CHECK_OK(cnx_client_set_simulator(client, &bad, &bad, seed));
    for (i = 0; i < 200; ++i) {
        void* packet;
        int size;
        CHECK_OK(cn_client_send(client, &i, (int)sizeof(i), false));
        CHECK_OK(cn_server_send(session.server, &i, (int)sizeof(i), 0, false));
        cn_server_update(session.server, 0, unix_now());
        cn_client_update(client, 0, unix_now());
        while (cn_server_pop_event(session.server, &event)) {
            int number;
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            memcpy(&number, event.u.payload_packet.data, sizeof(number));
            CHECK(number == i);
            *up = *up * 31 + (unsigned)number;
            ++got_up;
            cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
        }
        while (cn_client_pop_packet(client, &packet, &size, NULL)) {
            *down = *down * 31 + (unsigned)*(int*)packet;
            ++got_down;
            cn_client_free_packet(client, packet);
        }
    }
    CHECK(got_up > 100 && got_up < 180 && got_down > 100 && got_down < 180);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void both_directions_lose_and_reliable_packets_arrive_all_the_same(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_simulator_t bad = simulator();
    cnx_statistics_t statistics;
    int i, got = 0;
    session_start(&session);
    bad.latency_seconds = 0.02;
    bad.jitter_seconds = 0.02;
    bad.drop_chance = 0.1;
    bad.duplicate_chance = 0.1;
    bad.reorder_chance = 0.1;
    CHECK_OK(cnx_server_set_simulator(session.server, &bad, &bad, 7)); /* the handshake passes it, too */
    {
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        make_token(token, &session.secret_key, session.address, 1);
        CHECK_OK(cn_client_connect(client, token));
        for (i = 0; i < 300 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++i)
            session_tick(&session, &client, 1, TICK);
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    }
    for (i = 0; i < 1200 && (got < 300 || session.packets < 300); ++i) {
        if (i < 300) {
            CHECK_OK(cn_client_send(client, "up", 3, true));
            CHECK_OK(cn_server_send(session.server, "down", 5, 0, true));
        }
        session_tick(&session, &client, 1, TICK);
        got += client_pop_all(client);
    }
    CHECK(got == 300 && session.packets == 300);
    statistics.size = (uint32_t)sizeof(statistics);
    CHECK_OK(cnx_client_statistics(client, &statistics));
    CHECK(statistics.packet_loss > 0.02 && statistics.packet_loss < 0.3);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* 20,000 bytes a second, of which a tenth of a second may wait. */
static void a_bottleneck_lets_so_many_bytes_through(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_simulator_t narrow = simulator();
    static const char packet[1000] = { 0 };
    int i;
    session_start(&session);
    session_connect(&session, client, 1);
    narrow.bytes_per_second = 20000;
    narrow.queue_bytes = 2000;
    CHECK_OK(cnx_client_set_simulator(client, NULL, NULL, 0));
    CHECK_OK(cnx_server_set_simulator(session.server, NULL, &narrow, 0));
    session.bytes = 0;
    for (i = 0; i < 600; ++i) {
        CHECK_OK(cn_client_send(client, packet, (int)sizeof(packet), false));
        session_tick(&session, &client, 1, TICK);
    }
    CHECK(session.bytes > 120000 && session.bytes < 210000);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void arguments(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cnx_simulator_t odd = simulator();
    cn_result_t result;
    double nan = strtod("nan", NULL), inf = strtod("inf", NULL);
    session_start(&session);
    CHECK_FAILS(cnx_client_set_simulator(NULL, &odd, &odd, 0), "`client` is NULL.");
    CHECK_FAILS(cnx_server_set_simulator(NULL, &odd, &odd, 0), "`server` is NULL.");
    odd.size = 0;
    CHECK_FAILS(cnx_client_set_simulator(client, &odd, NULL, 0), "`outgoing->size` is not set");
    CHECK_FAILS(cnx_server_set_simulator(session.server, NULL, &odd, 0), "`incoming->size` is not set");
    odd.size = (uint32_t)sizeof(odd) + 8;
    CHECK_FAILS(cnx_server_set_simulator(session.server, NULL, &odd, 0), "`incoming->size` is 64, that of a later version");
    odd = simulator();
    odd.latency_seconds = -1;
    odd.jitter_seconds = nan;
    odd.drop_chance = -5;
    odd.duplicate_chance = nan;
    odd.reorder_chance = -inf;
    odd.bytes_per_second = nan;
    CHECK_OK(cnx_client_set_simulator(client, &odd, &odd, 0)); /* all of it counts as nothing */
    session_connect(&session, client, 1);
    odd.duplicate_chance = inf;
    odd.reorder_chance = 2;
    odd.bytes_per_second = inf;
    odd.queue_bytes = 0xFFFFFFFFu;
    cnx_client_set_simulator_p(client, &odd, NULL, 1, &result);
    CHECK_OK(result);
    cnx_server_set_simulator_p(session.server, NULL, NULL, 1, &result);
    CHECK_OK(result);
    CHECK_OK(cn_client_send(client, "through", 8, true));
    {
        int i;
        for (i = 0; i < 30; ++i) session_tick(&session, &client, 1, TICK);
    }
    CHECK(session.packets == 1);
    odd.latency_seconds = inf; /* an hour */
    CHECK_OK(cnx_client_set_simulator(client, &odd, &odd, 0));
    CHECK_OK(cn_client_send(client, "never", 6, false));
    session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 1);
    cn_client_disconnect(client); /* and yet what was under way leaves with the end */
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.disconnected == 1);
    CHECK_OK(cnx_client_set_simulator(client, NULL, NULL, 0));
    session_connect(&session, client, 1); /* nothing of the old connection comes into the new one */
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        unsigned up[4], down[4];
        original_keys = kind == 1;
        delays_add_up_in_both_directions();
        {
            runs(5, false, &up[0], &down[0]);
            runs(5, false, &up[1], &down[1]);
            runs(6, false, &up[2], &down[2]);
            runs(5, true, &up[3], &down[3]);
            CHECK(up[0] == up[1] && down[0] == down[1]);
            CHECK(up[0] != up[2] && down[0] != down[2] && up[0] != down[0]);
            CHECK(up[0] != up[3] && down[0] != down[3]); /* what is outgoing there is incoming here */
        }
        both_directions_lose_and_reliable_packets_arrive_all_the_same();
        a_bottleneck_lets_so_many_bytes_through();
        arguments();
    }
    return 0;
}
