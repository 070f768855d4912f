/* cute_net_x.h: why connections end, and what programs say at the end. On both protocols, of which CUTE 1.00 carries
 * neither a reason nor what is said. */
#include "check.h"

static session_t session;
static cn_client_t* client;

static cnx_disconnection_t blank(void)
{
    cnx_disconnection_t end;
    memset(&end, 0xEE, sizeof(end));
    end.size = (uint32_t)sizeof(end);
    return end;
}

static void expect(const cnx_disconnection_t* end, int reason, const char* data, int size)
{
    if (end->reason != reason) fprintf(stderr, "reason %d, not %d\n", (int)end->reason, reason);
    CHECK(end->size == sizeof(*end) && end->reason == reason && end->data_size == size);
    CHECK(memcmp(end->data, data, (size_t)size) == 0 && end->data[size] == 0);
}

static void client_says(int reason, const char* data, int size)
{
    cnx_disconnection_t end = blank();
    CHECK(cnx_client_disconnection(client, &end));
    expect(&end, reason, data, size);
}

/* Updates the server until the client of `index` is gone, and tells what it says of that. */
static void server_says(int index, int reason, const char* data, int size)
{
    cn_server_event_t event;
    cnx_disconnection_t end = blank();
    int tick;
    for (tick = 0; tick < 1300; ++tick) {
        while (cn_server_pop_event(session.server, &event)) {
            CHECK(event.type != CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            if (event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION) {
                session.newest = event.u.new_connection.client_index;
                continue;
            }
            CHECK(event.u.disconnected.client_index == index);
            CHECK(!cnx_server_disconnection(session.server, index + 1, &end) && end.reason != reason);
            CHECK(!cnx_server_disconnection(session.server, -1, &end));
            CHECK(cnx_server_disconnection(session.server, index, &end));
            expect(&end, reason, data, size);
            return;
        }
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK(!"the client is gone");
}

static void the_server_says_why(void)
{
    char most[255];
    cnx_disconnection_t end = blank();
    CHECK(!cnx_client_disconnection(client, &end)); /* it never was connected */
    memset(most, 'm', sizeof(most));
    session_connect(&session, client, 1);
    CHECK(!cnx_client_disconnection(client, &end) && end.data_size != 0);
    CHECK_OK(cnx_server_disconnect_client_with(session.server, session.newest, 16, "cheating", 8));
    CHECK(!cn_server_is_client_connected(session.server, session.newest));
    cn_client_update(client, TICK, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    if (original_keys) client_says(CNX_DISCONNECT_KICKED, "", 0);
    else client_says(16, "cheating", 8);
    server_says(session.newest, 16, "cheating", 8);

    session_connect(&session, client, 1);
    CHECK(!cnx_client_disconnection(client, &end));
    CHECK_OK(cnx_server_disconnect_client_with(session.server, session.newest, 255, most, 255));
    cn_client_update(client, TICK, unix_now());
    if (original_keys) client_says(CNX_DISCONNECT_KICKED, "", 0);
    else client_says(255, most, 255);
    server_says(session.newest, 255, most, 255);

    session_connect(&session, client, 1);
    CHECK_OK(cnx_server_disconnect_client_with(session.server, session.newest, 20, NULL, 0));
    cn_client_update(client, TICK, unix_now());
    client_says(original_keys ? (int)CNX_DISCONNECT_KICKED : 20, "", 0);
    server_says(session.newest, 20, "", 0);
}

static void the_client_says_why(void)
{
    void* kept;
    cn_server_event_t event;
    cn_result_t result;
    session_connect(&session, client, 1);
    CHECK_OK(cn_client_send(client, "last words", 11, true)); /* they leave first */
    CHECK_OK(cnx_client_disconnect_with(client, 17, "\0 quit", 6));
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
    client_says(17, "\0 quit", 6); /* its own */
    cn_server_update(session.server, TICK, unix_now());
    CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
    kept = event.u.payload_packet.data;
    CHECK(strcmp((const char*)kept, "last words") == 0);
    cn_server_free_packet(session.server, 0, kept);
    if (original_keys) server_says(session.newest, CNX_DISCONNECT_LEFT, "", 0);
    else server_says(session.newest, 17, "\0 quit", 6);

    /* Pointer forms, for languages that need them. */
    session_connect(&session, client, 1);
    cnx_client_disconnect_with_p(client, 15, "x", 1, &result);
    CHECK_FAILS(result, "A program's own reasons are 16 to 255, not 15.");
    cnx_client_disconnect_with_p(client, 18, "x", 1, &result);
    CHECK_OK(result);
    server_says(session.newest, original_keys ? (int)CNX_DISCONNECT_LEFT : 18, "x", original_keys ? 0 : 1);
    cnx_server_disconnect_client_with_p(session.server, session.newest, 18, "x", 1, &result);
    CHECK_FAILS(result, "Client is not connected.");
    cnx_server_disconnect_client_with_p(session.server, 0, 18, "x", 1, NULL);
}

static void the_library_says_why(void)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cnx_disconnection_t end;
    cn_client_t* again = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_client_t* others[2];
    int i, left;

    session_connect(&session, client, 1);
    cn_client_disconnect(client);
    client_says(CNX_DISCONNECT_LEFT, "", 0);
    server_says(session.newest, CNX_DISCONNECT_LEFT, "", 0);
    session_connect(&session, client, 1);
    cn_server_disconnect_client(session.server, session.newest, true);
    cn_client_update(client, TICK, unix_now());
    client_says(CNX_DISCONNECT_KICKED, "", 0);
    server_says(session.newest, CNX_DISCONNECT_KICKED, "", 0);

    /* Silence, on both ends. */
    session_connect(&session, client, 1);
    for (i = 0; i < 45; ++i) cn_client_update(client, 0.25, unix_now());
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_TIMED_OUT);
    client_says(CNX_DISCONNECT_TIMED_OUT, "", 0);
    /* The client said that it gave up; CUTE 1.00 has no word for why. */
    server_says(session.newest, original_keys ? CNX_DISCONNECT_LEFT : CNX_DISCONNECT_TIMED_OUT, "", 0);
    session_connect(&session, client, 1);
    server_says(session.newest, CNX_DISCONNECT_TIMED_OUT, "", 0);
    cn_client_disconnect(client);

    /* The same player from elsewhere. */
    session_connect(&session, client, 1);
    left = session.newest;
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_OK(cn_client_connect(again, token));
    for (i = 0; i < 3; ++i) {
        cn_client_update(again, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
    }
    CHECK(cn_client_state_get(again) == CN_CLIENT_STATE_CONNECTED);
    server_says(left, CNX_DISCONNECT_REPLACED, "", 0);
    cn_client_update(client, TICK, unix_now());
    client_says(original_keys ? CNX_DISCONNECT_KICKED : CNX_DISCONNECT_REPLACED, "", 0);
    session_pop(&session);

    /* A full server, which CUTE 1.00 can name too. */
    for (i = 0; i < 2; ++i) {
        others[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        session_connect(&session, others[i], 10 + (uint64_t)i);
    }
    make_token(token, &session.secret_key, session.address, 2);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 4; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_DENIED);
    client_says(CNX_DISCONNECT_DENIED_FULL, "", 0);

    /* The server stops. */
    cn_server_stop(session.server);
    cn_client_update(again, TICK, unix_now());
    end = blank();
    CHECK(cnx_client_disconnection(again, &end));
    expect(&end, original_keys ? CNX_DISCONNECT_KICKED : CNX_DISCONNECT_SERVER_STOPPED, "", 0);
    for (i = 0; i < 2; ++i) cn_client_destroy(others[i]);
    cn_client_destroy(again);
    while (session.disconnected < 3) {
        cn_server_event_t event;
        CHECK(cn_server_pop_event(session.server, &event) && event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED);
        end = blank();
        CHECK(cnx_server_disconnection(session.server, event.u.disconnected.client_index, &end));
        expect(&end, CNX_DISCONNECT_SERVER_STOPPED, "", 0);
        ++session.disconnected;
    }
}

/* Attempts that come to nothing; a server of CUTE 1.00 is silent but when it is full. */
static void a_denial_says_why(void)
{
    static const char* nobody = "127.0.0.1:1";
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    cnx_disconnection_t end = blank();
    uint64_t now = unix_now();
    int i;
    CHECK_OK(cn_server_start(session.server, session.address));
    make_token(token, &session.secret_key, session.address, 3);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_client_disconnect(client);
    session_tick(&session, &client, 1, TICK);
    if (!original_keys) {
        CHECK_OK(cn_client_connect(client, token)); /* the same token, once more */
        for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_DENIED);
        client_says(CNX_DISCONNECT_DENIED_TOKEN_USED, "", 0);
    }
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, now, &up, &down, now + 60, 1, 1, &nobody, 4, NULL,
        &session.secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    CHECK(!cnx_client_disconnection(client, &end));
    for (i = 0; i < 70; ++i) cn_client_update(client, TICK, now);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT);
    client_says(CNX_DISCONNECT_TIMED_OUT, "", 0);
    CHECK_OK(cn_client_connect(client, token));
    cn_client_update(client, TICK, now + 61);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED);
    client_says(CNX_DISCONNECT_DENIED_EXPIRED, "", 0);
    token[0] = 'X';
    CHECK(cn_is_error(cn_client_connect(client, token)));
    CHECK(!cnx_client_disconnection(client, &end));
}

/* Where no attempt began there is no end to tell of. */
static void a_client_without_a_socket_had_no_connection(void)
{
    cnx_disconnection_t end = blank();
    cn_endpoint_t taken;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* other;
    CHECK_OK(cnx_server_bound_endpoint(session.server, &taken));
    other = cn_client_create(taken.port, APPLICATION_ID, false, NULL);
    make_token(token, &session.secret_key, session.address, 6);
    CHECK_FAILS(cn_client_connect(other, token), "Unable to open socket.");
    CHECK(cn_client_state_get(other) == CN_CLIENT_STATE_DISCONNECTED && cnx_client_timeout(other) < 0);
    CHECK(!cnx_client_disconnection(other, &end));
    cn_client_destroy(other);
}

static void arguments(void)
{
    cnx_disconnection_t end = blank();
    static const char data[256] = { 0 };
    session_connect(&session, client, 5);
    CHECK_FAILS(cnx_client_disconnect_with(NULL, 16, NULL, 0), "`client` is NULL.");
    CHECK_FAILS(cnx_server_disconnect_client_with(NULL, 0, 16, NULL, 0), "`server` is NULL.");
    CHECK_FAILS(cnx_client_disconnect_with(client, 256, NULL, 0), "A program's own reasons are 16 to 255, not 256.");
    CHECK_FAILS(cnx_client_disconnect_with(client, -1, NULL, 0), "A program's own reasons are 16 to 255, not -1.");
    CHECK_FAILS(cnx_client_disconnect_with(client, 16, data, 256), "`size` is 256: pass 0 to 255 bytes.");
    CHECK_FAILS(cnx_client_disconnect_with(client, 16, data, -1), "`size` is -1: pass 0 to 255 bytes.");
    CHECK_FAILS(cnx_client_disconnect_with(client, 16, NULL, 1), "`data` is NULL, and `size` is not 0.");
    CHECK_FAILS(cnx_server_disconnect_client_with(session.server, 0, 15, NULL, 0), "A program's own reasons");
    CHECK_FAILS(cnx_server_disconnect_client_with(session.server, 2, 16, NULL, 0), "Client is not connected.");
    CHECK_FAILS(cnx_server_disconnect_client_with(session.server, -7, 16, NULL, 0), "Client is not connected.");
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    CHECK(!cnx_client_disconnection(NULL, &end) && !cnx_client_disconnection(client, NULL));
    CHECK(!cnx_server_disconnection(NULL, 0, &end) && !cnx_server_disconnection(session.server, 0, NULL));
    cn_client_disconnect(client);
    CHECK_FAILS(cnx_client_disconnect_with(client, 16, NULL, 0), "Client is not connected.");
    end.size = 4;
    CHECK(!cnx_client_disconnection(client, &end) && end.size == 4 && end.reason == (int)0xEEEEEEEE);
    /* A program compiled with an older, shorter struct. */
    end.size = (uint32_t)offsetof(cnx_disconnection_t, data_size);
    CHECK(cnx_client_disconnection(client, &end) && end.size == offsetof(cnx_disconnection_t, data_size));
    CHECK(end.reason == CNX_DISCONNECT_LEFT && end.data[0] == 0xEE);
}

static void play(void)
{
    session_keys(&session);
    session_start_at(&session, cnx_server_create(session_config(&session), 3), "127.0.0.1:0");
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    the_server_says_why();
    the_client_says_why();
    the_library_says_why();
    a_denial_says_why();
    a_client_without_a_socket_had_no_connection();
    arguments();
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    play();
    original_keys = true;
    play();
    return 0;
}
