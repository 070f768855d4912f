/* Odd, and legal: what real programs do with time, ids, sizes, counts and the order of calls. On both protocols. */
#include "check.h"

static cn_client_t* new_client(void)
{
    return cn_client_create(0, APPLICATION_ID, false, NULL);
}

/* A token with times of the test's choice. */
static void make_token_at(uint8_t* token, const session_t* session, uint64_t client_id, uint64_t creation,
    uint64_t expiration, uint32_t handshake_timeout)
{
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* addresses[1];
    addresses[0] = session->address;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, creation, &up, &down, expiration, handshake_timeout, 1,
        addresses, client_id, NULL, &session->secret_key, token));
}

/* Ten reliable packets, each way. */
static void exchange(session_t* session, cn_client_t* client, double dt, uint64_t now)
{
    int before = session->packets, got = 0, i;
    for (i = 0; i < 10; ++i) {
        CHECK_OK(cn_client_send(client, &i, (int)sizeof(i), true));
        CHECK_OK(cn_server_send(session->server, &i, (int)sizeof(i), session->newest, true));
    }
    for (i = 0; i < 50 && (got < 10 || session->packets < before + 10); ++i) {
        cn_client_update(client, dt, now);
        cn_server_update(session->server, dt, now);
        session_pop(session);
        got += client_pop_all(client);
    }
    CHECK(got == 10 && session->packets == before + 10);
}

/* One that nobody gets who asks the system for any. */
static uint16_t a_free_port(void)
{
    session_t session;
    uint16_t port;
    char address[32];
    cn_result_t started;
    session_keys(&session);
    session.server = cn_server_create(session_config(&session));
    do {
        cn_crypto_random_bytes(&port, (int)sizeof(port));
        port = (uint16_t)(10000 + port % 20000);
        sprintf(address, "0.0.0.0:%d", port);
        started = cn_server_start(session.server, address);
    } while (cn_is_error(started));
    cn_server_destroy(session.server);
    return port;
}

static void any_dt_connects_and_delivers(void)
{
    static const double endless[] = { 0.0, -1.0, 1e-300, 1e-9, 0.25, 1e300 };
    size_t i;
    for (i = 0; i <= sizeof(endless) / sizeof(endless[0]); ++i) {
        /* The last one is not a number. */
        double dt = i < sizeof(endless) / sizeof(endless[0]) ? endless[i] : strtod("nan", NULL);
        session_t session;
        cn_client_t* client = new_client();
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        int tick;
        session_start(&session);
        make_token(token, &session.secret_key, session.address, 1);
        CHECK_OK(cn_client_connect(client, token));
        for (tick = 0; tick < 10 && cn_client_state_get(client) > 0; ++tick) {
            /* A huge step is one in between, not the rule: nobody could be heard during it. */
            session_tick(&session, &client, 1, dt > 1e9 && tick > 0 ? TICK : dt);
        }
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED && session.connected == 1);
        exchange(&session, client, dt > 1e9 ? TICK : dt, unix_now());
        CHECK(session.disconnected == 0);
        cn_client_destroy(client);
        cn_server_destroy(session.server);
    }
}

static void the_unix_time_may_stand_still_jump_and_go_backwards(void)
{
    static const uint64_t times[] = { 1000000, 1000000, 999000, 0, 5, 1000050, 4000000000u, 0xFFFFFFFFFFFFFFFFu, 1 };
    session_t session;
    cn_client_t* client = new_client();
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    size_t i;
    session_start(&session);
    make_token_at(token, &session, 1, 1000000, 1000060, 5);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) {
        /* Backwards, by hours, while it connects. */
        uint64_t now = 1000050 - 5000 * i;
        cn_client_update(client, TICK, now);
        cn_server_update(session.server, TICK, 1000050 - now);
        session_pop(&session);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    /* And anyhow, once it is: far beyond the end of its token, too. */
    for (i = 0; i < sizeof(times) / sizeof(times[0]); ++i) exchange(&session, client, TICK, times[i]);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED && session.disconnected == 0);

    /* A program that is hours off, but whose token is as far off, gets in; one whose token is past does not. */
    cn_client_disconnect(client);
    make_token_at(token, &session, 1, 50000, 50060, 5);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 10; ++i) {
        cn_client_update(client, TICK, 50001);
        cn_server_update(session.server, TICK, 50001);
        session_pop(&session);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void a_token_of_time_zero_and_no_user_data_carries_all_64_bits_of_its_client(void)
{
    static const uint64_t ids[] = { 0, 1, 0x7FFFFFFFFFFFFFFFu, 0x8000000000000000u, 0xFFFFFFFFFFFFFFFFu, 0x0123456789ABCDEFu };
    session_t session;
    cn_client_t* clients[6];
    size_t i;
    int tick;
    session_start(&session);
    for (i = 0; i < 6; ++i) {
        uint8_t token[CN_CONNECT_TOKEN_SIZE], user_data[CN_CONNECT_TOKEN_USER_DATA_SIZE];
        cn_server_event_t event;
        clients[i] = new_client();
        make_token_at(token, &session, ids[i], 0, 1, 5);
        CHECK_OK(cn_client_connect(clients[i], token));
        for (tick = 0; tick < 4; ++tick) {
            cn_client_update(clients[i], 0, 0);
            cn_server_update(session.server, 0, 0);
        }
        CHECK(cn_client_state_get(clients[i]) == CN_CLIENT_STATE_CONNECTED);
        CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION);
        CHECK(event.u.new_connection.client_id == ids[i] && event.u.new_connection.client_index == (int)i);
        CHECK_OK(cnx_server_client_user_data(session.server, (int)i, user_data));
        for (tick = 0; tick < CN_CONNECT_TOKEN_USER_DATA_SIZE; ++tick) CHECK(user_data[tick] == 0);
    }
    CHECK(cnx_server_client_count(session.server) == 6);
    for (i = 0; i < 6; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
}

/* With a port of its own, too: the server then meets the same address again, with whatever it still holds of it. */
static void one_client_object_connects_after_every_end(uint16_t port)
{
    session_t session;
    cn_client_t* client = cn_client_create(port, APPLICATION_ID, false, NULL);
    cn_client_t* others[32];
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int way, i;
    session_start(&session);
    for (way = 0; way < 9; ++way) {
        session_connect(&session, client, 7);
        exchange(&session, client, TICK, unix_now());
        switch (way) {
        case 0: /* it left, twice */
            cn_client_disconnect(client);
            cn_client_disconnect(client);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
            break;
        case 1: /* it was sent away */
            cn_server_disconnect_client(session.server, session.newest, true);
            session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
            break;
        case 2: /* it heard nothing for too long */
            for (i = 0; i < 45; ++i) cn_client_update(client, 0.25, unix_now());
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_TIMED_OUT);
            break;
        case 3: /* denied */
            cn_client_disconnect(client);
            session_tick(&session, &client, 1, TICK);
            for (i = 0; i < 32; ++i) {
                others[i] = new_client();
                session_connect(&session, others[i], 100 + (uint64_t)i);
            }
            make_token(token, &session.secret_key, session.address, 7);
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 10; ++i) session_tick(&session, &client, 1, TICK);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_DENIED);
            for (i = 0; i < 32; ++i) cn_client_destroy(others[i]);
            session_tick(&session, &client, 1, TICK);
            break;
        case 4: /* its token expired before anybody answered */
            cn_client_disconnect(client);
            make_token_at(token, &session, 7, unix_now(), unix_now() + 30, 5);
            CHECK_OK(cn_client_connect(client, token));
            cn_client_update(client, TICK, unix_now() + 31);
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED);
            break;
        case 5: /* no token at all */
            cn_client_disconnect(client);
            memset(token, 0, sizeof(token));
            CHECK_FAILS(cn_client_connect(client, token), "Invalid connect token.");
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_INVALID_CONNECT_TOKEN);
            break;
        case 6: /* the server stopped, and started again */
            cn_server_stop(session.server);
            session_pop(&session);
            cn_client_update(client, TICK, unix_now());
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
            CHECK_OK(cn_server_start(session.server, session.address));
            break;
        case 7: /* nobody was there, and then nobody answered the challenge's answer */
            cn_client_disconnect(client);
            session_tick(&session, &client, 1, TICK);
            make_token(token, &session.secret_key, session.address, 7);
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 25; ++i) cn_client_update(client, 0.25, unix_now());
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);
            make_token(token, &session.secret_key, session.address, 7);
            CHECK_OK(cn_client_connect(client, token));
            for (i = 0; i < 2; ++i) {
                cn_client_update(client, TICK, unix_now());
                if (i == 0) cn_server_update(session.server, TICK, unix_now());
            }
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE);
            for (i = 0; i < 25; ++i) cn_client_update(client, 0.25, unix_now());
            CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT);
            break;
        default: break; /* it is still connected */
        }
    }
    session_connect(&session, client, 7);
    exchange(&session, client, TICK, unix_now());
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void thirty_two_clients_connect_at_once_and_the_next_is_denied(void)
{
    session_t session;
    cn_client_t* clients[33];
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i, connected = 0, denied = 0;
    session_start(&session);
    for (i = 0; i < 33; ++i) {
        clients[i] = new_client();
        make_token(token, &session.secret_key, session.address, 1 + (uint64_t)i);
        CHECK_OK(cn_client_connect(clients[i], token));
    }
    for (i = 0; i < 20; ++i) session_tick(&session, clients, 33, TICK);
    for (i = 0; i < 33; ++i) {
        connected += cn_client_state_get(clients[i]) == CN_CLIENT_STATE_CONNECTED;
        denied += cn_client_state_get(clients[i]) == CN_CLIENT_STATE_CONNECTION_DENIED;
    }
    CHECK(connected == 32 && denied == 1 && session.connected == 32);
    for (i = 0; i < 33; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
}

static void d33_packets_of_exactly_so_many_fragments_arrive_whole(void)
{
    enum { FRAGMENT = 1100, MOST = 20 };
    static const int counts[] = { 1, 2, 3, 4, MOST };
    session_t session;
    cn_client_t* client = new_client();
    cn_server_event_t event;
    static uint8_t data[FRAGMENT * MOST];
    int round, i, back = 0;
    session_start(&session);
    session_connect(&session, client, 1);
    for (i = 0; i < (int)sizeof(data); ++i) data[i] = (uint8_t)(i * 7 + i / 256);
    for (round = 0; round < 5; ++round) {
        int count = counts[round], got = 0;
        CHECK_OK(cn_client_send(client, data, count * FRAGMENT, false));
        CHECK_OK(cn_server_send(session.server, data, count * FRAGMENT, 0, false));
        for (i = 0; i < 10; ++i) {
            void* packet;
            int size;
            bool reliably = true;
            cn_client_update(client, TICK, unix_now());
            cn_server_update(session.server, TICK, unix_now());
            while (cn_server_pop_event(session.server, &event)) {
                CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
                CHECK(event.u.payload_packet.size == count * FRAGMENT);
                CHECK(memcmp(event.u.payload_packet.data, data, (size_t)(count * FRAGMENT)) == 0);
                cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
                ++got;
            }
            while (cn_client_pop_packet(client, &packet, &size, &reliably)) {
                CHECK(size == count * FRAGMENT && !reliably && memcmp(packet, data, (size_t)size) == 0);
                cn_client_free_packet(client, packet);
                ++back;
            }
        }
        CHECK(got == 1 && back == round + 1);
    }
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void a_thousand_packets_of_one_tick_arrive_each_way(void)
{
    session_t session;
    cn_client_t* client = new_client();
    int i, back = 0;
    session_start(&session);
    session_connect(&session, client, 1);
    for (i = 0; i < 1000; ++i) {
        CHECK_OK(cn_client_send(client, "one of a thousand", 18, true));
        CHECK_OK(cn_server_send(session.server, "one of a thousand", 18, 0, true));
    }
    for (i = 0; i < 300 && (back < 1000 || session.packets < 1000); ++i) {
        session_tick(&session, &client, 1, TICK);
        back += client_pop_all(client);
    }
    CHECK(session.packets == 1000 && back == 1000 && session.bytes == 18000);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

/* Sixty seconds of updates on both ends, while neither pops, and the server sends all the time. */
static void a_loading_screen_of_a_minute_loses_nothing_reliable(void)
{
    session_t session;
    cn_client_t* client = new_client();
    void* packet;
    int size, tick, sent = 0, got = 0;
    bool reliably;
    session_start(&session);
    session_connect(&session, client, 1);
    for (tick = 0; tick < 3600; ++tick) {
        if (tick % 10 == 0) {
            CHECK_OK(cn_server_send(session.server, &sent, (int)sizeof(sent), 0, true));
            CHECK_OK(cn_client_send(client, &sent, (int)sizeof(sent), true));
            CHECK_OK(cn_server_send(session.server, "snapshot", 9, 0, false));
            ++sent;
        }
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    for (tick = 0; tick < 600 && (got < sent || session.packets < sent); ++tick) {
        while (cn_client_pop_packet(client, &packet, &size, &reliably)) {
            if (reliably) CHECK(*(int*)packet == got++);
            cn_client_free_packet(client, packet);
        }
        session_tick(&session, &client, 1, TICK);
    }
    CHECK(got == sent && session.packets == sent && session.disconnected == 0);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

static void a_packet_is_freed_through_another_handle_and_after_its_own_is_gone(void)
{
    session_t session, other;
    cn_client_t* client = new_client();
    cn_client_t* stranger = new_client();
    cn_server_event_t event;
    void* from_client[3];
    void* from_server[3];
    int i, size;
    session_start(&session);
    session_start(&other);
    session_connect(&session, client, 1);
    for (i = 0; i < 3; ++i) {
        CHECK_OK(cn_client_send(client, "from the client", 16, false));
        CHECK_OK(cn_server_send(session.server, "from the server", 16, 0, false));
    }
    cn_client_update(client, TICK, unix_now());
    cn_server_update(session.server, TICK, unix_now());
    for (i = 0; i < 3; ++i) {
        CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
        from_client[i] = event.u.payload_packet.data;
        CHECK(cn_client_pop_packet(client, &from_server[i], &size, NULL) && size == 16);
    }
    cn_server_free_packet(other.server, 31, from_client[0]);
    cn_client_free_packet(stranger, from_server[0]);
    cn_client_free_packet(client, from_client[1]);
    cn_server_free_packet(session.server, 0, from_server[1]);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    cn_server_free_packet(other.server, -1, from_client[2]);
    cn_client_free_packet(stranger, from_server[2]);
    cn_client_destroy(stranger);
    cn_server_destroy(other.server);
}

/* The end of a program, in every order. */
static void handles_end_in_any_order(void)
{
    int order;
    for (order = 0; order < 6; ++order) {
        session_t session;
        cn_client_t* client = new_client();
        session_start(&session);
        session_connect(&session, client, 1);
        CHECK_OK(cn_client_send(client, "on its way", 11, true));
        CHECK_OK(cn_server_send(session.server, "on its way", 11, 0, true));
        switch (order) {
        case 0: break;
        case 1: cn_server_stop(session.server); break;
        case 2: cn_server_stop(session.server); cn_server_stop(session.server); break;
        case 3: cn_client_destroy(client); client = NULL; break;
        case 4: cn_client_disconnect(client); cn_client_disconnect(client); break;
        default: cn_server_disconnect_client(session.server, 0, false); cn_server_stop(session.server); break;
        }
        cn_server_destroy(session.server);
        if (client) cn_client_update(client, TICK, unix_now());
        if (client) CHECK(cn_client_state_get(client) == (order == 5 ? CN_CLIENT_STATE_CONNECTED : CN_CLIENT_STATE_DISCONNECTED));
        cn_client_destroy(client);
    }
    cn_server_destroy(cn_server_create(cn_server_config_defaults()));
    cn_client_destroy(new_client());
    cn_server_destroy(NULL);
    cn_client_destroy(NULL);
}

int main(void)
{
    int kind;
    use_everything();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        any_dt_connects_and_delivers();
        the_unix_time_may_stand_still_jump_and_go_backwards();
        a_token_of_time_zero_and_no_user_data_carries_all_64_bits_of_its_client();
        one_client_object_connects_after_every_end(0);
        one_client_object_connects_after_every_end(a_free_port());
        thirty_two_clients_connect_at_once_and_the_next_is_denied();
        d33_packets_of_exactly_so_many_fragments_arrive_whole();
        a_thousand_packets_of_one_tick_arrive_each_way();
        a_loading_screen_of_a_minute_loses_nothing_reliable();
        a_packet_is_freed_through_another_handle_and_after_its_own_is_gone();
        handles_end_in_any_order();
    }
    return 0;
}
