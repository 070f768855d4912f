/* cnx_server_send_many: one packet for many clients, in both send modes. */
#include "check.h"

enum { CLIENTS = 5 };

static session_t session;
static cn_client_t* clients[CLIENTS];
static int slots[CLIENTS];
static char large[200000];

/* Lets everything arrive; returns how many packets of this size each client of `mask` got, and checks that the
   others got none. */
static void expect(unsigned mask, int size)
{
    int got[CLIENTS] = { 0 };
    int tick, i;
    for (tick = 0; tick < 60; ++tick) {
        session_tick(&session, clients, CLIENTS, TICK);
        for (i = 0; i < CLIENTS; ++i) {
            void* packet;
            int bytes;
            while (cn_client_pop_packet(clients[i], &packet, &bytes, NULL)) {
                CHECK(bytes == size && memcmp(packet, large, (size_t)size) == 0);
                cn_client_free_packet(clients[i], packet);
                ++got[i];
            }
        }
    }
    for (i = 0; i < CLIENTS; ++i) CHECK(got[i] == (int)((mask >> i) & 1));
}

int main(void)
{
    int some[2], wrong[4], i;
    cn_result_t result;
    use_everything();
    session_start(&session);
    for (i = 0; i < (int)sizeof(large); ++i) large[i] = (char)(i * 7 + i / 251);
    for (i = 0; i < CLIENTS; ++i) {
        clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        session_connect(&session, clients[i], (uint64_t)i + 1);
        slots[i] = session.newest;
    }
    some[0] = slots[3];
    some[1] = slots[0];
    for (i = 0; i < 2; ++i) {
        cnx_server_set_send_mode(session.server, i == 0 ? CNX_SEND_IMMEDIATE : CNX_SEND_BATCHED);
        CHECK_OK(cnx_server_send_many(session.server, large, 100, slots, CLIENTS, false));
        expect(31, 100);
        CHECK_OK(cnx_server_send_many(session.server, large, 3000, some, 2, false));
        expect(9, 3000);
        CHECK_OK(cnx_server_send_many(session.server, large, (int)sizeof(large), slots, CLIENTS, true));
        expect(31, (int)sizeof(large));
        cnx_server_send_many_p(session.server, large, 10, some, 1, true, &result);
        CHECK_OK(result);
        expect(8, 10);
    }

    /* Inside the call: no update of the server is needed. */
    cnx_server_set_send_mode(session.server, CNX_SEND_IMMEDIATE);
    CHECK_OK(cnx_server_send_many(session.server, large, 50, slots, CLIENTS, false));
    for (i = 0; i < CLIENTS; ++i) {
        cn_client_update(clients[i], TICK, unix_now());
        CHECK(client_pop_all(clients[i]) == 1);
    }

    /* Those who can't get it don't keep the others from it. */
    wrong[0] = -1;
    wrong[1] = slots[2];
    wrong[2] = 4000;
    wrong[3] = slots[4];
    CHECK_FAILS(cnx_server_send_many(session.server, large, 60, wrong, 4, true),
        "2 of 4 clients don't get it. The first, -1: Client is not connected. There is no slot -1: they are 0 to 31.");
    expect(20, 60);

    CHECK_OK(cnx_server_send_many(session.server, large, 60, NULL, 0, true));
    CHECK_FAILS(cnx_server_send_many(NULL, large, 60, slots, 1, true), "`server` is NULL.");
    CHECK_FAILS(cnx_server_send_many(session.server, NULL, 60, slots, 1, true), "`packet` is NULL.");
    CHECK_FAILS(cnx_server_send_many(session.server, large, 60, NULL, 1, true), "`client_indices` is NULL.");
    CHECK_FAILS(cnx_server_send_many(session.server, large, 60, slots, -1, true), "`count` is -1: ");
    CHECK_FAILS(cnx_server_send_many(session.server, large, 0, slots, 1, true), "Empty packets are not allowed.");
    CHECK_FAILS(cnx_server_send_many(session.server, large, -7, slots, 1, true),
        "Empty packets are not allowed. `size` is -7: pass how many bytes the packet has.");
    /* A size that was never set: nothing is read. */
    CHECK_FAILS(cnx_server_send_many(session.server, "x", 20971521, slots, 2, true),
        "2 of 2 clients don't get it. The first, 0: The message has 20971521 bytes; one message has at most 20971520.");
    CHECK_FAILS(cnx_server_send_many(session.server, "x", 2147483647, slots, 1, false), "1 of 1 clients don't get it.");
    CHECK_OK(cnx_server_send_many(session.server, "x", 2147483647, slots, 0, true));
    expect(0, 60);

    cn_server_stop(session.server);
    CHECK_FAILS(cnx_server_send_many(session.server, large, 60, slots, 2, false), "2 of 2 clients don't get it. The first, 0: Client is not connected. The server does not run: start it first.");
    for (i = 0; i < CLIENTS; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
    return 0;
}
