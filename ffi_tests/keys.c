/* Key pairs of both kinds: the kind of the pair chooses the protocol, a server takes several at one port, and pairs
 * come and go while it runs. */
#include "check.h"

typedef struct pair_t
{
    cn_crypto_sign_public_t public_key;
    cn_crypto_sign_secret_t secret_key;
} pair_t;

static session_t session;
static cn_client_t* clients[3];

/* True if a client gets in with a token of the pair; false if it gives up. */
static bool connects(int client, const pair_t* pair, uint64_t client_id)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    make_token(token, &pair->secret_key, session.address, client_id);
    CHECK_OK(cn_client_connect(clients[client], token));
    for (i = 0; i < 300; ++i) {
        session_tick(&session, clients, 3, 0.05);
        if (cn_client_state_get(clients[client]) == CN_CLIENT_STATE_CONNECTED) {
            session_tick(&session, clients, 3, 0.05);
            return true;
        }
        if (cn_client_state_get(clients[client]) <= CN_CLIENT_STATE_DISCONNECTED) break;
    }
    return false;
}

/* Reliable and unreliable messages, small and large, there; and one back. */
static void exchange(int client, int slot)
{
    static char large[50000];
    long bytes = session.bytes;
    int i, back = 0;
    CHECK_OK(cn_client_send(clients[client], "there", 6, true));
    CHECK_OK(cn_client_send(clients[client], "there", 6, false));
    CHECK_OK(cn_client_send(clients[client], large, (int)sizeof(large), true));
    CHECK_OK(cn_server_send(session.server, "back", 5, slot, true));
    for (i = 0; i < 300 && (session.bytes < bytes + 50012 || back == 0); ++i) {
        session_tick(&session, clients, 3, TICK);
        back += client_pop_all(clients[client]);
    }
    CHECK(session.bytes == bytes + 50012 && back == 1);
}

int main(void)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    pair_t own, original, next, spare;
    int i, slot;
    use_everything();
    session_start(&session);
    own.public_key = session.public_key;
    own.secret_key = session.secret_key;
    cn_crypto_sign_keygen(&next.public_key, &next.secret_key);
    cnx_crypto_sign_keygen_1_00(&original.public_key, &original.secret_key);
    cnx_crypto_sign_keygen_1_00(NULL, &original.secret_key);
    CHECK(memcmp(original.secret_key.key + 32, original.public_key.key, 32) == 0);
    for (i = 0; i < 3; ++i) clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);

    /* The kind of the pair is the protocol of its tokens. */
    make_token(token, &own.secret_key, session.address, 1);
    CHECK(memcmp(token, "CUTE 2.00", 10) == 0);
    make_token(token, &original.secret_key, session.address, 1);
    CHECK(memcmp(token, "CUTE 1.00", 10) == 0);

    CHECK(connects(0, &own, 1));
    exchange(0, session.newest);
    CHECK(!connects(1, &original, 2));
    CHECK_OK(cnx_server_add_key(session.server, &original.public_key, &original.secret_key));
    CHECK(connects(1, &original, 2));
    exchange(1, session.newest);
    CHECK(cnx_server_client_count(session.server) == 2);

    /* A new pair comes, the old one goes, nobody leaves. */
    CHECK_OK(cnx_server_add_key(session.server, &next.public_key, &next.secret_key));
    CHECK_OK(cnx_server_remove_key(session.server, &own.public_key));
    CHECK(connects(2, &next, 3));
    slot = session.newest;
    exchange(2, slot);
    exchange(0, 0);
    CHECK(session.disconnected == 0);
    cn_client_disconnect(clients[0]);
    CHECK(!connects(0, &own, 4));

    /* Another start changes nothing of it. */
    cn_server_stop(session.server);
    session_start_at(&session, session.server, "127.0.0.1:0");
    CHECK(!connects(0, &own, 5));
    CHECK(connects(1, &original, 6));
    CHECK(connects(2, &next, 7));

    /* Wrong use is an error. */
    CHECK_FAILS(cnx_server_remove_key(session.server, &own.public_key), "The server has no key pair");
    CHECK_FAILS(cnx_server_add_key(session.server, &own.public_key, &next.secret_key), "The public key does not belong");
    CHECK_FAILS(cnx_server_add_key(session.server, NULL, &next.secret_key), "`public_key` is NULL.");
    CHECK_FAILS(cnx_server_add_key(session.server, &next.public_key, NULL), "`secret_key` is NULL.");
    CHECK_FAILS(cnx_server_add_key(NULL, &next.public_key, &next.secret_key), "`server` is NULL.");
    CHECK_FAILS(cnx_server_remove_key(session.server, NULL), "`public_key` is NULL.");
    /* Sixteen pairs: two that are there, without the own one, and fourteen more. */
    for (i = 0; i < 20; ++i) {
        cn_crypto_sign_keygen(&spare.public_key, &spare.secret_key);
        if (i < 14)
            CHECK_OK(cnx_server_add_key(session.server, &spare.public_key, &spare.secret_key));
        else
            CHECK_FAILS(cnx_server_add_key(session.server, &spare.public_key, &spare.secret_key), "A server has at most 16");
    }
    CHECK_FAILS(cnx_server_add_key(session.server, &own.public_key, &own.secret_key), "A server has at most 16");
    CHECK_OK(cnx_server_add_key(session.server, &next.public_key, &next.secret_key));
    CHECK_OK(cnx_server_remove_key(session.server, &next.public_key));
    CHECK_OK(cnx_server_add_key(session.server, &own.public_key, &own.secret_key));
    CHECK_FAILS(cnx_server_add_key(session.server, &next.public_key, &next.secret_key), "A server has at most 16");

    for (i = 0; i < 3; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
    return 0;
}
