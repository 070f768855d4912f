/* cute_net_x.h: version, capacity, send modes, log, counters, bound endpoints, user data. */
#include "check.h"

static int logged = 0;
static char last_log[256];

static void on_log(void* user, cnx_log_level_t level, const char* text)
{
    CHECK(user == &logged);
    CHECK(level >= CNX_LOG_ERROR && level <= CNX_LOG_DEBUG);
    CHECK(text != NULL);
    ++logged;
    strncpy(last_log, text, sizeof(last_log) - 1);
}

static void capacity(void)
{
    session_t session;
    cn_client_t* clients[3];
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    memset(&session, 0, sizeof(session));
    cn_crypto_sign_keygen(&session.public_key, &session.secret_key);
    session.server = cn_server_create(session_config(&session));
    CHECK(cnx_server_max_clients(session.server) == 32);
    CHECK_FAILS(cnx_server_set_max_clients(session.server, 0), "A server has room for 1 to 65535 clients, not 0.");
    CHECK_FAILS(cnx_server_set_max_clients(session.server, 65536), "A server has room for 1 to 65535 clients");
    CHECK_OK(cnx_server_set_max_clients(session.server, 2));
    CHECK_FAILS(cnx_server_set_memory(NULL, 1 << 30), "`server` is NULL.");
    CHECK_FAILS(cnx_server_set_memory(session.server, 1000), "A server needs 33554432 bytes for what clients send");
    CHECK_OK(cnx_server_set_memory(session.server, 128 << 20));
    session_start_at(&session, session.server, "127.0.0.1:0");
    CHECK_FAILS(cnx_server_set_max_clients(session.server, 3), "The server runs");
    CHECK_FAILS(cnx_server_set_memory(session.server, 1 << 30), "The server runs");
    CHECK(cnx_server_max_clients(session.server) == 2);
    for (i = 0; i < 3; ++i) clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(&session, clients[0], 1);
    session_connect(&session, clients[1], 2);
    make_token(token, &session.secret_key, session.address, 3);
    CHECK_OK(cn_client_connect(clients[2], token));
    for (i = 0; i < 10; ++i) session_tick(&session, clients, 3, TICK);
    CHECK(cn_client_state_get(clients[2]) == CN_CLIENT_STATE_CONNECTION_DENIED);
    {
        cnx_counters_t counters;
        memset(&counters, 0, sizeof(counters));
        CHECK_FAILS(cnx_server_counters(session.server, &counters), "`counters_out->size` is not set");
        CHECK_FAILS(cnx_server_counters(session.server, NULL), "`counters_out` is NULL.");
        counters.size = (uint32_t)sizeof(counters);
        CHECK_OK(cnx_server_counters(session.server, &counters));
        CHECK(counters.size == sizeof(counters));
        CHECK(counters.server_full >= 1 && counters.dropped >= 1);
        CHECK(counters.received > counters.dropped);
        CHECK_OK(cnx_client_counters(clients[0], &counters));
        CHECK(counters.received > 0 && counters.dropped == 0);
        /* A program compiled with an older, shorter struct. */
        memset(&counters, 0xEE, sizeof(counters));
        counters.size = (uint32_t)offsetof(cnx_counters_t, size_wrong);
        CHECK_OK(cnx_server_counters(session.server, &counters));
        CHECK(counters.size == offsetof(cnx_counters_t, size_wrong));
        CHECK(counters.received < 1000000 && counters.size_wrong == 0xEEEEEEEEEEEEEEEEull);
    }
    for (i = 0; i < 3; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
}

static void refusals_are_logged_and_counted(void)
{
    session_t session, other;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cnx_counters_t counters;
    cnx_set_log_callback(on_log, CNX_LOG_INFO, &logged);
    session_start(&session);
    CHECK(logged == 1 && strstr(last_log, "has kernel buffers of") != NULL);
    session_start(&other);
    cnx_set_log_callback(on_log, CNX_LOG_DEBUG, &logged);
    make_token(token, &other.secret_key, session.address, 1); /* another server's key pair */
    CHECK_OK(cn_client_connect(client, token));
    session_tick(&session, &client, 1, TICK);
    session_tick(&session, &client, 1, TICK);
    counters.size = (uint32_t)sizeof(counters);
    CHECK_OK(cnx_server_counters(session.server, &counters));
    CHECK(counters.key_unknown >= 1);
    CHECK(logged >= 1);
    CHECK(strstr(last_log, "its token was made with another key pair") != NULL);
    logged = 0;
    cnx_set_log_callback(on_log, CNX_LOG_INFO, &logged); /* what an attacker can cause is at debug level */
    session_tick(&session, &client, 1, 0.2);
    CHECK(logged == 0);
    cn_server_set_public_ip(session.server, "not an address");
    CHECK(logged == 1);
    cnx_set_log_callback(NULL, CNX_LOG_DEBUG, NULL);
    cn_server_set_public_ip(session.server, "not an address");
    CHECK(logged == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    cn_server_destroy(other.server);
}

static session_t* meddled_with;
static int meddled = 0;

/* A callback that does what it must not: uses the handle that it is called for, which is refused and logged. */
static void on_log_meddle(void* user, cnx_log_level_t level, const char* text)
{
    (void)user; (void)level; (void)text;
    ++meddled;
    cn_server_update(meddled_with->server, TICK, unix_now());
    cn_server_disconnect_client(meddled_with->server, 0, true);
    CHECK(!cn_server_is_client_connected(meddled_with->server, 0));
    CHECK_FAILS(cn_server_send(meddled_with->server, "x", 1, 0, true), "An internal error");
    cn_server_destroy(meddled_with->server);
}

static void a_callback_that_uses_its_server_is_not_called_for_that(void)
{
    session_t session, other;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    session_start(&session);
    session_start(&other);
    session_connect(&session, client, 1);
    meddled_with = &session;
    make_token(token, &other.secret_key, session.address, 1);
    {
        cn_client_t* stranger = cn_client_create(0, APPLICATION_ID, false, NULL);
        CHECK_OK(cn_client_connect(stranger, token));
        cn_client_update(stranger, TICK, unix_now());
        cnx_set_log_callback(on_log_meddle, CNX_LOG_DEBUG, NULL);
        cn_server_update(session.server, TICK, unix_now());
        CHECK(meddled == 1);
        cnx_set_log_callback(NULL, CNX_LOG_DEBUG, NULL);
        cn_client_destroy(stranger);
    }
    CHECK_OK(cn_client_send(client, "still here", 11, true));
    for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    cn_server_destroy(other.server);
}

static void endpoints_and_user_data(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_endpoint_t endpoint;
    uint8_t token[CN_CONNECT_TOKEN_SIZE], data[CN_CONNECT_TOKEN_USER_DATA_SIZE], back[CN_CONNECT_TOKEN_USER_DATA_SIZE];
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    const char* list[1];
    cn_server_event_t event;
    int i;
    session_start(&session);
    CHECK_FAILS(cnx_client_bound_endpoint(client, &endpoint), "Client is not connected.");
    CHECK(endpoint.type == CN_ADDRESS_TYPE_NONE);
    cn_crypto_random_bytes(data, (int)sizeof(data));
    list[0] = session.address;
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, 1, &up, &down, unix_now() + 60, 5, 1, list, 77, data,
        &session.secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    CHECK_OK(cnx_client_bound_endpoint(client, &endpoint));
    CHECK(endpoint.type == CN_ADDRESS_TYPE_IPV4 && endpoint.port != 0);
    for (i = 0; i < 5; ++i) {
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK(cn_server_pop_event(session.server, &event));
    CHECK(event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION);
    CHECK(event.u.new_connection.client_id == 77 && event.u.new_connection.endpoint.port == endpoint.port);
    CHECK_OK(cnx_server_client_user_data(session.server, 0, back));
    CHECK(memcmp(data, back, sizeof(data)) == 0);
    CHECK(cn_is_error(cnx_server_client_user_data(session.server, 0, NULL)));
    cn_server_stop(session.server);
    CHECK_FAILS(cnx_server_bound_endpoint(session.server, &endpoint), "The server does not run.");
    cn_server_destroy(session.server);
    cn_client_destroy(client);
}

static void batched_messages_leave_at_the_flush(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    int i;
    session_start(&session);
    session_connect(&session, client, 1);
    /* Immediate: an unreliable packet is there without an update of its sender. */
    CHECK_OK(cn_client_send(client, "now", 4, false));
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.packets == 1);
    /* Batched: only the flush sends, and what was queued with it. */
    cnx_client_set_send_mode(client, CNX_SEND_BATCHED);
    for (i = 0; i < 50; ++i) CHECK_OK(cn_client_send(client, "later", 6, i % 2 == 0));
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.packets == 1);
    cnx_client_flush(client);
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.packets == 51);
    CHECK_OK(cn_client_send(client, "with the update", 16, false));
    cn_client_update(client, TICK, unix_now());
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.packets == 52);
    CHECK_OK(cn_client_send(client, "with the disconnect", 20, false));
    cn_client_disconnect(client);
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.packets == 53 && session.disconnected == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    CHECK(strcmp(cnx_version(), CNX_VERSION) == 0);
    capacity();
    refusals_are_logged_and_counted();
    a_callback_that_uses_its_server_is_not_called_for_that();
    endpoints_and_user_data();
    batched_messages_leave_at_the_flush();
    return 0;
}
