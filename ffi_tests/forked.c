/* D54: forked processes make different keys. And a forked copy leaves its parent's connections alone. */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static void d54_forked_processes_make_different_keys(void)
{
    cn_crypto_key_t keys[3];
    int i;
    keys[0] = cn_crypto_generate_key(); /* whatever state there is exists before the fork */
    for (i = 1; i < 3; ++i) {
        int ends[2];
        pid_t child;
        CHECK(pipe(ends) == 0);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            cn_crypto_key_t key = cn_crypto_generate_key();
            _exit(write(ends[1], &key, sizeof(key)) == (ssize_t)sizeof(key) ? 0 : 1);
        }
        CHECK(read(ends[0], &keys[i], sizeof(keys[i])) == (ssize_t)sizeof(keys[i]));
        CHECK(waitpid(child, NULL, 0) == child);
        close(ends[0]);
        close(ends[1]);
    }
    keys[0] = cn_crypto_generate_key();
    CHECK(memcmp(&keys[0], &keys[1], sizeof(keys[0])) != 0);
    CHECK(memcmp(&keys[0], &keys[2], sizeof(keys[0])) != 0);
    CHECK(memcmp(&keys[1], &keys[2], sizeof(keys[0])) != 0);
}

static void a_copy_forgets_its_parents_connections_without_a_word(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    pid_t child;
    int status = -1, i;
    session_start(&session);
    session_connect(&session, client, 1);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        /* Everything that would send. */
        cn_client_send(client, "from the copy", 14, false);
        cn_client_update(client, TICK, unix_now());
        cn_server_send(session.server, "from the copy", 14, 0, false);
        cn_server_disconnect_client(session.server, 0, true);
        cnx_server_flush(session.server);
        CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED);
        CHECK(!cn_server_is_client_connected(session.server, 0));
        cn_client_destroy(client);
        cn_server_destroy(session.server);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (i = 0; i < 30; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    CHECK(session.packets == 0 && session.disconnected == 0);
    CHECK(client_pop_all(client) == 0);
    CHECK_OK(cn_client_send(client, "from the parent", 16, true));
    for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
    CHECK(session.packets == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    d54_forked_processes_make_different_keys();
    a_copy_forgets_its_parents_connections_without_a_word();
    return 0;
}
