/* D54: forked processes make different keys. A forked copy leaves its parent's connections alone, and makes its own.
 * D53: a player comes back from another process. */
#include "check.h"
#include <signal.h>
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

static void a_copy_forgets_its_parents_connections_without_a_word(cnx_send_mode_t mode)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    pid_t child;
    int status = -1, i;
    session_start(&session);
    session_connect(&session, client, 1);
    cnx_server_set_send_mode(session.server, mode);
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

/* A player in a process of its own, which dies without a word when it has connected. */
static void play_and_crash(const session_t* session, const uint8_t* token)
{
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    int i;
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 5000 && cn_client_state_get(client) != CN_CLIENT_STATE_CONNECTED; ++i) {
        cn_client_update(client, 0.001, unix_now());
        usleep(1000);
    }
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    CHECK_OK(cn_client_send(client, session->address, 5, false));
    raise(SIGKILL);
}

/* D53 between processes: the program crashed, was started again, and plays on at once. */
static void d53_the_same_player_comes_back_from_a_new_process(void)
{
    session_t session;
    int life, i;
    session_start(&session);
    for (life = 1; life <= 3; ++life) {
        uint8_t token[CN_CONNECT_TOKEN_SIZE];
        pid_t child;
        make_token(token, &session.secret_key, session.address, 7);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) play_and_crash(&session, token);
        for (i = 0; i < 5000 && session.packets < life; ++i) {
            session_tick(&session, NULL, 0, 0.001);
            usleep(1000);
        }
        CHECK(waitpid(child, &i, 0) == child && WIFSIGNALED(i) && WTERMSIG(i) == SIGKILL);
        CHECK(session.connected == life && session.disconnected == life - 1 && session.packets == life);
        CHECK(cnx_server_client_count(session.server) == 1);
    }
    cn_server_destroy(session.server);
}

/* A process that forks before it makes anything: the copies have servers and clients of their own. */
static void copies_make_their_own(void)
{
    pid_t children[3];
    int i, status;
    for (i = 0; i < 3; ++i) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            session_t session;
            cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
            session_start(&session);
            session_connect(&session, client, 1);
            CHECK_OK(cn_client_send(client, "hello", 6, true));
            for (i = 0; i < 5; ++i) session_tick(&session, &client, 1, TICK);
            CHECK(session.packets == 1);
            cn_client_destroy(client);
            cn_server_destroy(session.server);
            exit(0);
        }
    }
    for (i = 0; i < 3; ++i) CHECK(waitpid(children[i], &status, 0) == children[i] && status == 0);
}

/* A server that was started and then becomes a daemon: the copy goes on with the socket, and lets players in anew. */
static void a_daemon_goes_on_with_its_server(void)
{
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    pid_t daemon;
    int i, status = -1, back = 0;
    bool sent = false;
    session_start(&session);
    session_connect(&session, client, 1);
    make_token(token, &session.secret_key, session.address, 2);
    daemon = fork();
    CHECK(daemon >= 0);
    if (daemon == 0) {
        for (i = 0; i < 5000 && session.packets == 0; ++i) {
            session_tick(&session, NULL, 0, 0.001);
            usleep(1000);
        }
        CHECK(session.packets == 1 && session.connected == 2 && session.disconnected == 1);
        CHECK(cnx_server_client_count(session.server) == 1);
        CHECK_OK(cn_server_send(session.server, "from the daemon", 16, session.newest, true));
        cn_server_destroy(session.server);
        _exit(0);
    }
    /* The process before it leaves the server alone. Its player comes back by itself, with another token. */
    CHECK_OK(cn_client_connect(client, token));
    for (i = 0; i < 5000 && back == 0; ++i) {
        cn_client_update(client, 0.001, unix_now());
        if (!sent && cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED) {
            CHECK_OK(cn_client_send(client, "to the daemon", 14, true));
            sent = true;
        }
        back += client_pop_all(client);
        usleep(1000);
    }
    CHECK(waitpid(daemon, &status, 0) == daemon && status == 0);
    CHECK(back == 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server); /* which says nothing to anybody that the daemon serves: nobody is there */
}

int main(void)
{
    int kind;
    use_everything();
    copies_make_their_own();
    for (kind = 0; kind < 2; ++kind) {
        original_keys = kind == 1;
        d53_the_same_player_comes_back_from_a_new_process();
        a_copy_forgets_its_parents_connections_without_a_word(CNX_SEND_IMMEDIATE);
        /* A copy can't free what a thread of its parent held, and valgrind would count it. */
        if (getenv("CUTE_NET_VALGRIND") == NULL) a_copy_forgets_its_parents_connections_without_a_word(CNX_SEND_THREADED);
        a_daemon_goes_on_with_its_server();
    }
    original_keys = false;
    d54_forked_processes_make_different_keys();
    return 0;
}
