/* Calls when everything else is over: in a thread that ends, after its own variables are gone, and after main. */
#include "check.h"
#include <pthread.h>

static session_t session;
static cn_client_t* client;
static pthread_key_t key;
static int ended = 0;

static void still_works(const char* address)
{
    char expected[64];
    CHECK_FAILS(cn_server_start(session.server, session.address), "The server runs already");
    sprintf(expected, "Unable to initialize endpoint. \"%s\"", address);
    CHECK_FAILS(cnx_server_add_public_address(session.server, address), expected);
    CHECK_OK(cn_client_send(client, "late", 5, true));
    session_tick(&session, &client, 1, TICK);
    cn_client_update(client, TICK, unix_now());
}

static void thread_ends(void* unused)
{
    (void)unused;
    still_works("in a thread that ends");
    ++ended;
}

static void* thread(void* unused)
{
    CHECK(cn_is_error(cn_server_start(session.server, "of a thread"))); /* which gives the thread a text of its own */
    CHECK(pthread_setspecific(key, &session) == 0);
    return unused;
}

static void after_main(void)
{
    still_works("after main");
    CHECK(session.packets >= 1);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
    if (ended != 3) _Exit(1);
}

int main(void)
{
    int i;
    use_everything();
    CHECK(atexit(after_main) == 0); /* and so after whatever the library would do then */
    CHECK(pthread_key_create(&key, thread_ends) == 0);
    session_start(&session);
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(&session, client, 1);
    for (i = 0; i < 3; ++i) {
        pthread_t handle;
        CHECK(pthread_create(&handle, NULL, thread, NULL) == 0 && pthread_join(handle, NULL) == 0);
    }
    return 0;
}
