/* A program that defines CN_SERVER_MAX_CLIENTS gets a server with that many places: fewer, or more. */
#ifndef CN_SERVER_MAX_CLIENTS
#define CN_SERVER_MAX_CLIENTS 40
#endif
#include "check.h"

/* Of the places of a large server only so many are taken here. */
enum { PLAYERS = CN_SERVER_MAX_CLIENTS < 70 ? CN_SERVER_MAX_CLIENTS : 70 };

int main(void)
{
    session_t session;
    cn_client_t* clients[PLAYERS + 1];
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    int i;
    cn_server_t* (*plain_create)(cn_server_config_t) = &cn_server_create; /* the symbol itself stays */
    use_everything();
    session_start(&session);
    CHECK(cnx_server_max_clients(session.server) == CN_SERVER_MAX_CLIENTS);
    for (i = 0; i <= PLAYERS; ++i) clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
    for (i = 0; i < PLAYERS; ++i) {
        session_connect(&session, clients[i], 1000 + (uint64_t)i);
        CHECK(cn_server_is_client_connected(session.server, i));
    }
    make_token(token, &session.secret_key, session.address, 1);
    CHECK_OK(cn_client_connect(clients[PLAYERS], token));
    for (i = 0; i < 10; ++i) session_tick(&session, clients, PLAYERS + 1, TICK);
    CHECK(cn_client_state_get(clients[PLAYERS])
        == (PLAYERS == CN_SERVER_MAX_CLIENTS ? CN_CLIENT_STATE_CONNECTION_DENIED : CN_CLIENT_STATE_CONNECTED));
    for (i = 0; i <= PLAYERS; ++i) cn_client_destroy(clients[i]);
    cn_server_destroy(session.server);
    {
        cn_server_t* server = plain_create(session_config(&session));
        CHECK(cnx_server_max_clients(server) == 32);
        cn_server_destroy(server);
    }
    return 0;
}
