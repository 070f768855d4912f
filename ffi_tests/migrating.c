/*
 * From keys of CUTE 1.00 to CUTE 2.00 as docs/MIGRATING.md section 3 says, by the functions that stand there: the
 * page's C comes ahead of this text. Old players are programs of their own.
 *
 *     migrating OLD_PLAYER FOLDER     with new.public and new.secret in the folder
 */
#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OLD_VERSION = 1, NEW_VERSION = 2 };

static session_t session;
static cn_crypto_sign_public_t new_public;
static cn_crypto_sign_secret_t new_secret;
static int heard[CN_SERVER_MAX_CLIENTS];
static cn_client_t* clients[2];
static const char* old_player;
static const char* folder;

static void tick(void)
{
    cn_server_event_t event;
    int i;
    for (i = 0; i < 2; ++i) {
        cn_client_update(clients[i], 0.005, unix_now());
        if (cn_client_state_get(clients[i]) == CN_CLIENT_STATE_CONNECTED)
            CHECK_OK(cn_client_send(clients[i], "still here", 11, false));
    }
    cn_server_update(session.server, 0.005, unix_now());
    while (cn_server_pop_event(session.server, &event)) {
        if (event.type == CN_SERVER_EVENT_TYPE_NEW_CONNECTION) {
            ++session.connected;
            session.newest = event.u.new_connection.client_index;
        } else if (event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED) {
            ++session.disconnected;
        } else {
            ++heard[event.u.payload_packet.client_index];
            CHECK_OK(cn_server_send(session.server, "heard", 6, event.u.payload_packet.client_index, false));
            cn_server_free_packet(session.server, event.u.payload_packet.client_index, event.u.payload_packet.data);
        }
    }
    usleep(5000);
}

/* All players that are connected are heard, and nobody has left. */
static void everybody_plays(int players)
{
    int i, ticks, playing = 0;
    CHECK(cnx_server_client_count(session.server) == players && session.disconnected == 0);
    memset(heard, 0, sizeof(heard));
    for (ticks = 0; ticks < 1000 && playing < players; ++ticks) {
        tick();
        for (i = playing = 0; i < CN_SERVER_MAX_CLIENTS; ++i) playing += heard[i] >= 3;
    }
    CHECK(playing == players);
}

/* What the web service does: a token by the version that a client says it has. */
static void log_in(uint8_t* token, int version, uint64_t client_id)
{
    make_token(token, secret_for(version, NEW_VERSION, &session.secret_key, &new_secret), session.address, client_id);
}

static pid_t old_player_joins(uint64_t client_id)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    char name[512];
    FILE* file;
    pid_t player;
    int before = session.connected, i;
    log_in(token, OLD_VERSION, client_id);
    CHECK(memcmp(token, "CUTE 1.00", 10) == 0);
    snprintf(name, sizeof(name), "%s/token-%d", folder, (int)client_id);
    file = fopen(name, "wb");
    CHECK(file && fwrite(token, sizeof(token), 1, file) == 1 && fclose(file) == 0);
    player = fork();
    CHECK(player >= 0);
    if (player == 0) {
        execl(old_player, old_player, name, (char*)NULL);
        _exit(127);
    }
    for (i = 0; i < 1000 && session.connected == before; ++i) tick();
    CHECK(session.connected == before + 1);
    return player;
}

/* A client of today; false if it is not let in. */
static bool joins(cn_client_t* client, int version, uint64_t client_id)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    log_in(token, version, client_id);
    CHECK(memcmp(token, version == NEW_VERSION ? "CUTE 2.00" : "CUTE 1.00", 10) == 0);
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 200 && cn_client_state_get(client) > 0; ++i) {
        tick();
        if (cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED) return true;
    }
    return false;
}

static void read_new_key(const char* name, void* data, size_t size)
{
    char path[512];
    FILE* file;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    CHECK(file && fread(data, size, 1, file) == 1 && fclose(file) == 0);
}

int main(int argc, char** argv)
{
    pid_t players[3];
    cn_server_config_t config;
    int i, status;
    use_everything();
    CHECK(argc == 3);
    old_player = argv[1];
    folder = argv[2];
    for (i = 0; i < 2; ++i) clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
    read_new_key("new.public", &new_public, sizeof(new_public));
    read_new_key("new.secret", &new_secret, sizeof(new_secret));

    /* 1 and 2: servers and the web service are swapped, a client of today speaks what its token says. */
    original_keys = true;
    session_start(&session);
    players[0] = old_player_joins(1);
    CHECK(joins(clients[0], OLD_VERSION, 2));
    everybody_plays(2);
    cn_client_disconnect(clients[0]);
    while (session.disconnected == 0) tick();
    session.disconnected = 0;

    /* 4: the servers get the new pair. */
    CHECK_OK(take_new_pair(session.server, &new_public, &new_secret));
    players[1] = old_player_joins(3);
    everybody_plays(2);

    /* 5: the web service makes tokens by version. */
    CHECK(joins(clients[0], NEW_VERSION, 4));
    players[2] = old_player_joins(5);
    everybody_plays(4);

    /* 6: the old pair is retired. Who is connected stays; nobody comes with it any more. */
    CHECK_OK(retire_old_pair(session.server, &session.public_key));
    everybody_plays(4);
    CHECK(!joins(clients[1], OLD_VERSION, 6));
    CHECK(joins(clients[1], NEW_VERSION, 6));
    everybody_plays(5);

    /* 7: the next start, with the new pair alone. */
    cn_server_destroy(session.server);
    for (i = 0; i < 3; ++i) {
        CHECK(waitpid(players[i], &status, 0) == players[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    config = session_config(&session);
    config.public_key = new_public;
    config.secret_key = new_secret;
    session_start_at(&session, cn_server_create(config), session.address);
    for (i = 0; i < 2; ++i) CHECK(joins(clients[i], NEW_VERSION, 7 + (uint64_t)i));
    everybody_plays(2);
    for (i = 0; i < 2; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
    return 0;
}
