/* What differs from the original on purpose, as a C program sees it: limits, timeouts, keepalives, pauses, takeovers,
 * batches, statistics. On both protocols. */
#include "check.h"

static session_t session;
static cn_client_t* client;

static void begin_with(cn_server_config_t config)
{
    session_start_at(&session, cn_server_create(config), "127.0.0.1:0");
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(&session, client, 1);
}

static void begin(void)
{
    session_keys(&session);
    begin_with(session_config(&session));
}

static void end(void)
{
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static uint64_t received_by_client(void)
{
    cnx_counters_t counters;
    counters.size = (uint32_t)sizeof(counters);
    CHECK_OK(cnx_client_counters(client, &counters));
    return counters.received;
}

/* Bytes that get through in ten seconds, of many more that are sent. */
static void limits_of_bytes_a_second_hold_for_each_client(void)
{
    static const char packet[1000] = { 0 };
    cn_server_config_t config;
    cn_client_t* other;
    cn_client_t* both[2];
    int tick, i, got[2] = { 0, 0 };
    session_keys(&session);
    config = session_config(&session);
    config.max_outgoing_bytes_per_second = 20000;
    config.max_incoming_bytes_per_second = 10000;
    begin_with(config);
    other = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(&session, other, 2);
    both[0] = client;
    both[1] = other;
    session.bytes = 0;
    for (tick = 0; tick < 600; ++tick) {
        for (i = 0; i < 2; ++i) {
            CHECK_OK(cn_server_send(session.server, packet, (int)sizeof(packet), i, tick % 2 == 0));
            CHECK_OK(cn_client_send(both[i], packet, (int)sizeof(packet), tick % 2 == 0));
        }
        session_tick(&session, both, 2, TICK);
        for (i = 0; i < 2; ++i) got[i] += client_pop_all(both[i]) * (int)sizeof(packet);
    }
    for (i = 0; i < 2; ++i) CHECK(got[i] > 140000 && got[i] <= 205000);
    CHECK(session.bytes > 2 * 70000 && session.bytes <= 2 * 105000);
    cn_client_destroy(other);
    end();
}

static void a_timeout_of_nothing_is_none_and_others_are_kept(void)
{
    static const int never[] = { 0, -1, -2147483647 - 1 };
    cn_server_config_t config;
    size_t i;
    int updates;
    for (i = 0; i < sizeof(never) / sizeof(never[0]); ++i) {
        session_keys(&session);
        config = session_config(&session);
        config.connection_timeout = never[i];
        begin_with(config);
        for (updates = 0; updates < 4000; ++updates) cn_client_update(client, 0.25, unix_now());
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
        for (updates = 0; updates < 400; ++updates) cn_server_update(session.server, 0.25, unix_now());
        CHECK(cn_server_is_client_connected(session.server, 0));
        end();
    }
    session_keys(&session);
    config = session_config(&session);
    config.connection_timeout = 3;
    begin_with(config);
    for (updates = 0; cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED; ++updates)
        cn_client_update(client, TICK, unix_now());
    CHECK(updates >= 177 && updates <= 183);
    end();
}

/* Of a server that has nothing to say, for twelve seconds: once a second, or four times in a short timeout; ten times
 * a second on CUTE 1.00. */
static void keepalives_are_few(void)
{
    static const int timeouts[] = { 10, 0, 2 };
    static const int expected[] = { 12, 12, 24 };
    int i, tick, count;
    for (i = 0; i < 3; ++i) {
        cn_server_config_t config;
        uint64_t before;
        session_keys(&session);
        config = session_config(&session);
        config.connection_timeout = timeouts[i];
        begin_with(config);
        for (tick = 0; tick < 60; ++tick) session_tick(&session, &client, 1, TICK);
        before = received_by_client();
        for (tick = 0; tick < 720; ++tick) session_tick(&session, &client, 1, TICK);
        count = (int)(received_by_client() - before);
        if (original_keys) CHECK(count >= 118 && count <= 121);
        else CHECK(count >= expected[i] - 1 && count <= expected[i] + 1);
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
        end();
    }
}

/* D31: what came while the server's program stood still counts before its silence. */
static void a_pause_of_the_server_sends_nobody_away(void)
{
    int tick;
    begin();
    for (tick = 0; tick < 300; ++tick) { /* five seconds, in which the server does not update */
        CHECK_OK(cn_client_send(client, "still here", 11, tick % 10 == 0));
        cn_client_update(client, TICK, unix_now());
    }
    cn_server_update(session.server, 60.0, unix_now());
    for (tick = 0; tick < 30; ++tick) session_tick(&session, &client, 1, TICK);
    CHECK(cn_server_is_client_connected(session.server, 0) && session.disconnected == 0);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED && session.packets >= 100);
    end();
}

static void token_of(uint8_t* token, uint64_t creation, uint64_t expiration)
{
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* addresses[1];
    addresses[0] = session.address;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, creation, &up, &down, expiration, 5, 1, addresses, 7, NULL,
        &session.secret_key, token));
}

/* The player of a slot comes again: with a token that is not older he takes it over, with an older one he does not. */
static void a_token_that_is_not_older_takes_its_players_slot(void)
{
    static const int age[] = { -1, 0, 1 };
    uint64_t now = unix_now() + 10;
    int i, tick;
    session_keys(&session);
    session_start_at(&session, cn_server_create(session_config(&session)), "127.0.0.1:0");
    for (i = 0; i < 3; ++i) {
        uint8_t first[CN_CONNECT_TOKEN_SIZE], second[CN_CONNECT_TOKEN_SIZE];
        uint64_t base = now + 5 * (uint64_t)i;
        cn_client_t* holder = cn_client_create(0, APPLICATION_ID, false, NULL);
        cn_client_t* clients[2];
        client = cn_client_create(0, APPLICATION_ID, false, NULL);
        clients[0] = holder;
        clients[1] = client;
        token_of(first, base, base + 60);
        token_of(second, base + (uint64_t)(int64_t)age[i], base + 60 + (uint64_t)(int64_t)age[i]);
        CHECK_OK(cn_client_connect(holder, first));
        for (tick = 0; tick < 5; ++tick) session_tick(&session, clients, 1, TICK);
        CHECK(cn_client_state_get(holder) == CN_CLIENT_STATE_CONNECTED);
        session.connected = session.disconnected = 0;
        CHECK_OK(cn_client_connect(client, second));
        for (tick = 0; tick < 10; ++tick) session_tick(&session, clients, 2, TICK);
        if (age[i] < 0) {
            CHECK(cn_client_state_get(client) == (original_keys ? CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST
                                                                : CN_CLIENT_STATE_CONNECTION_DENIED));
            CHECK(cn_client_state_get(holder) == CN_CLIENT_STATE_CONNECTED);
            CHECK(session.connected == 0 && session.disconnected == 0);
        } else {
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
            CHECK(cn_client_state_get(holder) == CN_CLIENT_STATE_DISCONNECTED);
            CHECK(session.connected == 1 && session.disconnected == 1);
        }
        CHECK(cnx_server_client_count(session.server) == 1);
        cn_client_destroy(holder);
        cn_client_destroy(client);
        for (tick = 0; tick < 3; ++tick) session_tick(&session, NULL, 0, TICK);
        CHECK(cnx_server_client_count(session.server) == 0);
    }
    cn_server_destroy(session.server);
}

/* Batched messages leave with the first of flush, update, disconnect, stop and destroy, on either end. */
static void a_batch_leaves_at_the_latest_with_the_end(void)
{
    enum { FLUSH, UPDATE, SEND_AWAY, STOP, DESTROY, WAYS };
    int way, i;
    for (way = FLUSH; way < WAYS; ++way) {
        begin();
        cnx_server_set_send_mode(session.server, CNX_SEND_BATCHED);
        cnx_client_set_send_mode(client, CNX_SEND_BATCHED);
        for (i = 0; i < 20; ++i) {
            CHECK_OK(cn_server_send(session.server, "down", 5, 0, i % 2 == 0));
            CHECK_OK(cn_client_send(client, "up", 3, i % 2 == 0));
        }
        switch (way) {
        case FLUSH:
            cnx_server_flush(session.server);
            cnx_client_flush(client);
            break;
        case UPDATE:
            cn_client_update(client, TICK, unix_now());
            cn_server_update(session.server, TICK, unix_now());
            break;
        case SEND_AWAY:
            cn_server_disconnect_client(session.server, 0, true);
            break;
        case STOP: cn_server_stop(session.server); break;
        default:
            cn_client_destroy(client);
            client = NULL;
            break;
        }
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
        session_pop(&session);
        if (way != DESTROY) CHECK(client_pop_all(client) == 20);
        if (way == FLUSH || way == UPDATE || way == DESTROY) CHECK(session.packets == 20);
        CHECK(session.disconnected == (way >= SEND_AWAY));
        end();
    }
    /* A server that is destroyed tells what it had for its clients, too. */
    begin();
    cnx_server_set_send_mode(session.server, CNX_SEND_BATCHED);
    for (i = 0; i < 20; ++i) CHECK_OK(cn_server_send(session.server, "down", 5, 0, i % 2 == 0));
    cn_server_destroy(session.server);
    cn_client_update(client, TICK, unix_now());
    CHECK(client_pop_all(client) == 20 && cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    cn_client_destroy(client);
}

/* 120 packets of 1000 bytes a second up, twelve of a byte down, over a link of 100 ms: within a tenth of the truth after 5 s. */
static void statistics_mean_what_they_say(void)
{
    static const char packet[1000] = { 0 };
    const double step = 1.0 / 240.0;
    cnx_simulator_t link;
    float up, rtt;
    int tick;
    begin();
    memset(&link, 0, sizeof(link));
    link.size = (uint32_t)sizeof(link);
    link.latency_seconds = 0.05;
    CHECK_OK(cnx_client_set_simulator(client, &link, &link, 1));
    for (tick = 0; tick < 5 * 240; ++tick) {
        if (tick % 2 == 0) CHECK_OK(cn_client_send(client, packet, (int)sizeof(packet), tick % 20 == 0));
        if (tick % 20 == 0) CHECK_OK(cn_server_send(session.server, packet, 1, 0, false));
        session_tick(&session, &client, 1, step);
    }
    rtt = cn_client_get_rtt_estimate(client);
    CHECK(rtt > 95.0f && rtt < 115.0f); /* two updates of 4 ms are part of it */
    rtt = cn_server_get_rtt_estimate(session.server, 0);
    CHECK(rtt > 95.0f && rtt < 115.0f);
    up = cn_client_get_outgoing_kbps_estimate(client);
    CHECK(up > 960.0f && up < 1100.0f);
    up = cn_server_get_incoming_kbps_estimate(session.server, 0);
    CHECK(up > 960.0f && up < 1100.0f);
    CHECK(cn_server_get_outgoing_kbps_estimate(session.server, 0) < 200.0f);
    CHECK(cn_client_get_incoming_kbps_estimate(client) < 200.0f);
    CHECK(cn_client_get_packet_loss_estimate(client) == 0.0f);

    /* A tenth of it is lost from now on; of a thousand packets a chance twentieth more or less. */
    link.drop_chance = 0.1;
    CHECK_OK(cnx_client_set_simulator(client, &link, NULL, 1));
    for (tick = 0; tick < 5 * 240; ++tick) {
        CHECK_OK(cn_client_send(client, packet, 100, false));
        session_tick(&session, &client, 1, step);
    }
    CHECK(cn_client_get_packet_loss_estimate(client) > 0.07f && cn_client_get_packet_loss_estimate(client) < 0.13f);
    CHECK(cn_server_get_packet_loss_estimate(session.server, 0) < 0.01f);
    end();
}

/* The resend timer follows the round trip, which is short here, and `resend_rate` is its ceiling: a high one does not
 * make it wait. */
static void a_high_ceiling_makes_no_resend_wait(void)
{
    static const double rates[] = { 0.0, 0.1, 60.0 };
    int i;
    for (i = 0; i < 3; ++i) {
        cn_server_config_t config;
        cnx_simulator_t dead;
        int tick, waited;
        session_keys(&session);
        config = session_config(&session);
        config.resend_rate = rates[i];
        begin_with(config);
        for (tick = 0; tick < 120; ++tick) {
            CHECK_OK(cn_server_send(session.server, "warm", 5, 0, true));
            session_tick(&session, &client, 1, TICK);
            client_pop_all(client);
        }
        for (tick = 0; tick < 30; ++tick) session_tick(&session, &client, 1, TICK);
        client_pop_all(client);
        memset(&dead, 0, sizeof(dead));
        dead.size = (uint32_t)sizeof(dead);
        dead.drop_chance = 1;
        CHECK_OK(cnx_server_set_simulator(session.server, &dead, NULL, 1));
        CHECK_OK(cn_server_send(session.server, "lost", 5, 0, true));
        session_tick(&session, &client, 1, TICK);
        CHECK_OK(cnx_server_set_simulator(session.server, NULL, NULL, 1));
        for (waited = 0; waited < 600 && client_pop_all(client) == 0; ++waited) session_tick(&session, &client, 1, TICK);
        CHECK(waited < 30); /* half a second, where the original takes 0.117 s at any round trip */
        end();
    }
}

/* Of a mebibyte that is queued a part leaves with a disconnect; all of it has arrived where nothing is queued any more. */
static void a_disconnect_takes_along_what_fits_and_waiting_takes_all(void)
{
    static const char packet[4096] = { 0 };
    const long all = 256L * (long)sizeof(packet);
    int waits, by_server, i;
    for (waits = 0; waits < 2; ++waits) {
        for (by_server = 0; by_server < 2; ++by_server) {
            cnx_statistics_t statistics;
            long bytes = 0;
            void* data;
            int size;
            memset(&statistics, 0, sizeof(statistics));
            statistics.size = (uint32_t)sizeof(statistics);
            begin();
            for (i = 0; i < 256; ++i) {
                if (by_server) CHECK_OK(cn_server_send(session.server, packet, (int)sizeof(packet), 0, true));
                else CHECK_OK(cn_client_send(client, packet, (int)sizeof(packet), true));
            }
            for (i = 0; waits == 1 && i < 6000; ++i) {
                if (by_server) CHECK_OK(cnx_server_client_statistics(session.server, 0, &statistics));
                else CHECK_OK(cnx_client_statistics(client, &statistics));
                if (statistics.reliable_queued_bytes == 0) break;
                session_tick(&session, &client, 1, TICK);
            }
            CHECK(statistics.reliable_queued_bytes == 0);
            if (by_server) cn_server_disconnect_client(session.server, 0, true);
            else cn_client_disconnect(client);
            for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
            while (cn_client_pop_packet(client, &data, &size, NULL)) {
                bytes += size;
                cn_client_free_packet(client, data);
            }
            if (!by_server) bytes = session.bytes;
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED && session.disconnected == 1);
            CHECK(waits ? bytes == all : bytes >= 4096 && bytes < all);
            end();
        }
    }
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        limits_of_bytes_a_second_hold_for_each_client();
        a_timeout_of_nothing_is_none_and_others_are_kept();
        keepalives_are_few();
        a_pause_of_the_server_sends_nobody_away();
        a_token_that_is_not_older_takes_its_players_slot();
        a_batch_leaves_at_the_latest_with_the_end();
        statistics_mean_what_they_say();
        a_high_ceiling_makes_no_resend_wait();
        a_disconnect_takes_along_what_fits_and_waiting_takes_all();
    }
    return 0;
}
